//! Mesh files: binary STL, binary PLY, OBJ.
//!
//! Each says in its header in which space its coordinates are, `SPACE=LPS` or `SPACE=RAS`, where 3D Slicer writes that
//! and looks for it.

use anyhow::{Result, ensure};
use clap::ValueEnum;
use skull_kernels::{Job, Mesh};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Which way x, y and z point in a file: left, posterior, superior, as Slicer expects of mesh files, or right, anterior,
/// superior.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
#[allow(missing_docs, reason = "said above; here it would make the help longer than a screen")]
pub enum Coordinates {
    #[default]
    Lps,
    Ras,
}

/// A file name for a mesh.
///
/// # Errors
/// Where its ending does not say STL, PLY or OBJ.
pub fn mesh_path(name: &str) -> Result<PathBuf, String> {
    Format::of(Path::new(name)).map(|_| name.into()).ok_or_else(|| "the name must end in .stl, .ply or .obj".into())
}

/// Writes a mesh in the format that the ending of `path` says.
///
/// # Errors
/// Where the format is unknown or cannot hold so many triangles, where writing fails, and
/// [`skull_kernels::Error::Cancelled`].
pub fn write_mesh(out: &mut dyn Write, path: &Path, mesh: &Mesh, coordinates: Coordinates, job: &Job) -> Result<()> {
    // Few formats and readers count further.
    ensure!(i32::try_from(mesh.points.len().max(mesh.triangles.len())).is_ok(), "the mesh is too large for a file");
    match Format::of(path) {
        Some(Format::Stl) => write_stl(out, mesh, coordinates, job),
        Some(Format::Ply) => write_ply(out, mesh, coordinates, job),
        Some(Format::Obj) => write_obj(out, mesh, coordinates, job),
        None => anyhow::bail!("{} does not end in .stl, .ply or .obj", path.display()),
    }
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Stl,
    Ply,
    Obj,
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_lowercase().as_str() {
            "stl" => Some(Self::Stl),
            "ply" => Some(Self::Ply),
            "obj" => Some(Self::Obj),
            _ => None,
        }
    }
}

impl Coordinates {
    /// A point or direction in RAS as it stands in the file. Half a turn at most: triangles keep their outside.
    fn of(self, [x, y, z]: [f32; 3]) -> [f32; 3] {
        match self {
            Self::Lps => [-x, -y, z],
            Self::Ras => [x, y, z],
        }
    }

    fn mark(self) -> &'static str {
        match self {
            Self::Lps => "SPACE=LPS",
            Self::Ras => "SPACE=RAS",
        }
    }
}

fn write_stl(out: &mut dyn Write, mesh: &Mesh, coordinates: Coordinates, job: &Job) -> Result<()> {
    // Not "solid", with which the text form of STL starts.
    let mut header = [b' '; 80];
    let title = format!("SkullEffects {}", coordinates.mark());
    header[..title.len()].copy_from_slice(title.as_bytes());
    out.write_all(&header)?;
    out.write_all(&(mesh.triangles.len() as u32).to_le_bytes())?;
    in_blocks(out, &mesh.triangles, job, |bytes, triangle| {
        let corners = triangle.map(|v| coordinates.of(mesh.points[v as usize]));
        push(bytes, facet_normal(corners));
        corners.into_iter().for_each(|corner| push(bytes, corner));
        bytes.extend([0; 2]);
    })
}

fn write_ply(out: &mut dyn Write, mesh: &Mesh, coordinates: Coordinates, job: &Job) -> Result<()> {
    write!(
        out,
        "ply\nformat binary_little_endian 1.0\ncomment SkullEffects\ncomment {}\n\
         element vertex {}\nproperty float x\nproperty float y\nproperty float z\n\
         property float nx\nproperty float ny\nproperty float nz\n\
         element face {}\nproperty list uchar int vertex_indices\nend_header\n",
        coordinates.mark(),
        mesh.points.len(),
        mesh.triangles.len()
    )?;
    let vertices: Vec<_> = mesh.points.iter().copied().zip(mesh.normals()).collect();
    in_blocks(out, &vertices, &job.part(0.0, 0.5), |bytes, &(point, normal)| {
        push(bytes, coordinates.of(point));
        push(bytes, coordinates.of(normal));
    })?;
    in_blocks(out, &mesh.triangles, &job.part(0.5, 1.0), |bytes, triangle| {
        bytes.push(3);
        triangle.iter().for_each(|v| bytes.extend(v.to_le_bytes()));
    })
}

fn write_obj(out: &mut dyn Write, mesh: &Mesh, coordinates: Coordinates, job: &Job) -> Result<()> {
    writeln!(out, "# SkullEffects {}", coordinates.mark())?;
    for (kind, part, rows) in [("v", [0.0, 0.3], &mesh.points), ("vn", [0.3, 0.6], &mesh.normals())] {
        in_blocks(out, rows, &job.part(part[0], part[1]), |text, &row| {
            let [x, y, z] = coordinates.of(row);
            writeln!(text, "{kind} {x} {y} {z}").expect("memory takes all");
        })?;
    }
    in_blocks(out, &mesh.triangles, &job.part(0.6, 1.0), |text, triangle| {
        let [a, b, c] = triangle.map(|v| v + 1);
        writeln!(text, "f {a}//{a} {b}//{b} {c}//{c}").expect("memory takes all");
    })
}

/// Writes items block by block, so that a cancel is heard in between.
fn in_blocks<T>(out: &mut dyn Write, items: &[T], job: &Job, encode: impl Fn(&mut Vec<u8>, &T)) -> Result<()> {
    const BLOCK: usize = 1 << 14;
    let steps = job.steps(items.len().div_ceil(BLOCK));
    let mut bytes = Vec::new();
    for block in items.chunks(BLOCK) {
        bytes.clear();
        block.iter().for_each(|item| encode(&mut bytes, item));
        out.write_all(&bytes)?;
        steps.step()?;
    }
    Ok(())
}

fn push(bytes: &mut Vec<u8>, vector: [f32; 3]) {
    vector.iter().for_each(|c| bytes.extend(c.to_le_bytes()));
}

/// The unit normal of a triangle; zero, as the format has it, where there is none.
fn facet_normal([a, b, c]: [[f32; 3]; 3]) -> [f32; 3] {
    let [u, v] = [b, c].map(|p| [0, 1, 2].map(|r| f64::from(p[r]) - f64::from(a[r])));
    let n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    let length = n.iter().map(|c| c * c).sum::<f64>().sqrt();
    #[allow(clippy::cast_possible_truncation, reason = "the file is in single precision")]
    n.map(|c| if length > 0.0 { (c / length) as f32 } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tetrahedron() -> Mesh {
        Mesh {
            points: vec![[1.5, 0.0, 0.0], [3.5, 0.0, 0.0], [1.5, 3.0, 0.0], [1.5, 0.0, 4.0]],
            triangles: vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]],
        }
    }

    fn written(name: &str, coordinates: Coordinates) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_mesh(&mut bytes, Path::new(name), &tetrahedron(), coordinates, &Job::new()).unwrap();
        bytes
    }

    fn floats(bytes: &[u8]) -> Vec<f32> {
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    #[test]
    fn stl_names_its_space_and_holds_each_facet() {
        let bytes = written("a.STL", Coordinates::Lps);
        assert_eq!(bytes.len(), 84 + 4 * 50);
        assert!(bytes.starts_with(b"SkullEffects SPACE=LPS"));
        assert_eq!(bytes[80..84], 4_u32.to_le_bytes());
        let facet = floats(&bytes[84..84 + 48]);
        assert_eq!(facet, [0.0, 0.0, -1.0, -1.5, 0.0, 0.0, -1.5, -3.0, 0.0, -3.5, 0.0, 0.0]);
    }

    #[test]
    fn ply_holds_points_with_normals() {
        let bytes = written("a.ply", Coordinates::Ras);
        let end = b"end_header\n";
        let start = bytes.windows(end.len()).position(|w| w == end).unwrap() + end.len();
        let header = std::str::from_utf8(&bytes[..start]).unwrap();
        assert!(header.contains("comment SPACE=RAS\n") && header.contains("element vertex 4\n"), "{header}");
        assert_eq!(bytes.len(), start + 4 * 24 + 4 * 13);
        assert_eq!(floats(&bytes[start..start + 12]), [1.5, 0.0, 0.0]);
        assert_eq!(bytes[start + 96..start + 109], [3, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn obj_counts_from_one() {
        let text = String::from_utf8(written("a.obj", Coordinates::Lps)).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("# SkullEffects SPACE=LPS"));
        assert_eq!(lines.next(), Some("v -1.5 -0 0"));
        assert_eq!(text.lines().filter(|l| l.starts_with("vn ")).count(), 4);
        assert_eq!(text.lines().last(), Some("f 2//2 3//3 4//4"));
    }

    #[test]
    fn other_endings_are_refused() {
        assert!(mesh_path("head.stl").is_ok());
        assert!(mesh_path("head.vtk").is_err());
        assert!(mesh_path("stl").is_err());
    }

    #[test]
    fn a_cancelled_job_ends_the_writing() {
        let job = Job::new();
        job.cancel();
        let result = write_mesh(&mut Vec::new(), Path::new("a.stl"), &tetrahedron(), Coordinates::Lps, &job);
        assert!(result.is_err());
    }
}
