//! Facts about the pictures: what lies where, how large, in which colour.

use super::slices::Cut;
use super::*;
use ndarray::Array3;
use skull_kernels::Grid;

/// A 40 x 50 x 30 mm box of 1 x 1 x 2 mm voxels around the origin, its axes along ±R, ±A, ±S.
fn grid(signs: [f64; 3]) -> Grid {
    let axes = [0, 1, 2].map(|a| unit_axis(a, signs[a]));
    let grid = Grid::new([40, 50, 15], [1.0, 1.0, 2.0], axes, [0.0; 3]).unwrap();
    let middle = grid.ras_mm([19.5, 24.5, 7.0]);
    Grid::new([40, 50, 15], [1.0, 1.0, 2.0], axes, middle.map(|m| -m)).unwrap()
}

/// The value of a function of the place (RAS mm) at each voxel.
fn drawn<T>(grid: &Grid, value: impl Fn([f64; 3]) -> T) -> Array3<T> {
    Array3::from_shape_fn(grid.shape(), |(z, y, x)| value(grid.ras_mm([x as f64, y as f64, z as f64])))
}

fn cut(plane: Plane, px_per_mm: f64, size: [u32; 2]) -> Cut {
    Cut { plane, centre_mm: [0.0; 3], pixel_mm: 1.0 / px_per_mm, size }
}

const WINDOW: Window = Window { low: 0.0, high: 1.0 };
const TEST_LINE: Colour = [255, 0, 0];

/// Centre of mass of what `weight` says of each pixel.
fn centre(picture: &RgbImage, weight: impl Fn(Colour) -> f64) -> [f64; 2] {
    let mut sums = [0.0; 3];
    for (x, y, Rgb(pixel)) in picture.enumerate_pixels() {
        let w = weight(*pixel);
        sums = [sums[0] + w, sums[1] + w * (f64::from(x) + 0.5), sums[2] + w * (f64::from(y) + 0.5)];
    }
    [sums[1] / sums[0], sums[2] / sums[0]]
}

#[test]
fn slices_are_in_radiological_convention_however_the_voxels_lie() {
    let bright_at = [10.0, 15.0, 8.0]; // right, anterior, superior
    for signs in [[1.0, 1.0, 1.0], [-1.0, -1.0, 1.0], [-1.0, 1.0, -1.0]] {
        let grid = grid(signs);
        let image = drawn(&grid, |p| f32::from(u8::from((0..3).all(|r| (p[r] - bright_at[r]).abs() < 3.5))));
        for (plane, want) in [
            (Plane::Axial, [40.0 - 20.0, 50.0 - 30.0]),
            (Plane::Coronal, [40.0 - 20.0, 50.0 - 16.0]),
            (Plane::Sagittal, [40.0 - 30.0, 50.0 - 16.0]),
        ] {
            let mut cut = cut(plane, 2.0, [80, 100]);
            cut.centre_mm[plane.axes()[0]] = bright_at[plane.axes()[0]];
            let picture = slices::draw(&cut, &grid, &image, WINDOW, &[], PANEL);
            let got = centre(&picture, |c| f64::from(c[0].saturating_sub(PANEL[0])));
            for i in 0..2 {
                assert!((got[i] - want[i]).abs() < 1.1, "{plane:?} {signs:?}: {got:?}, not {want:?}");
            }
        }
    }
}

#[test]
fn sides_are_named_for_the_patient() {
    let grid = grid([1.0; 3]);
    let image = drawn(&grid, |p| p[0] as f32);
    let preview =
        Preview { title: "", figures: &[], image: &image, grid: &grid, window: None, layers: &[], views: &[] };
    let sides: Vec<_> = slice_row(&preview).0.into_iter().map(|panel| panel.sides.concat()).collect();
    assert_eq!(sides, ["RLAP", "RLSI", "APSI"]);
    assert_eq!(side_name([-0.70, 0.66, 0.28]), "LA");
    assert_eq!(side_name(Camera::FRONT.axes()[0]), "L", "seen from in front, left is on the right");
}

#[test]
fn slices_are_cut_along_the_patient_through_an_oblique_volume() {
    // Turned by 30 degrees around S; the bright half-space is still x > 0 of the patient.
    let (sin, cos) = 30_f64.to_radians().sin_cos();
    let axes = [[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]];
    let origin = [0, 1, 2].map(|r| -39.5 * (axes[0][r] + axes[1][r]) / 2.0 - 3.0 * axes[2][r]);
    let grid = Grid::new([40, 40, 7], [1.0; 3], axes, origin).unwrap();
    let image = drawn(&grid, |p| f32::from(u8::from(p[0] > 0.0)));
    let picture = slices::draw(&cut(Plane::Axial, 4.0, [200, 200]), &grid, &image, WINDOW, &[], PANEL);
    for y in 70..130 {
        assert_eq!(picture.get_pixel(90, y).0, [255; 3], "10 px right of the midline, row {y}");
        assert_eq!(picture.get_pixel(110, y).0, [0; 3], "10 px left of the midline, row {y}");
    }
    assert_eq!(picture.get_pixel(2, 2).0, PANEL, "outside the volume");
}

#[test]
fn the_outline_is_where_the_mask_ends() {
    let grid = grid([1.0, -1.0, 1.0]);
    let image = drawn(&grid, |_| 0_u8);
    // Voxels with centres from -9.5 to 9.5: the faces are at ±10 mm.
    let mask = drawn(&grid, |p| u8::from(p[0].abs() < 10.0 && p[1].abs() < 10.0));
    let layer = Layer { name: "", mask: &mask, colour: TEST_LINE, style: LayerStyle::Outline };
    let picture = slices::draw(&cut(Plane::Axial, 8.0, [240, 240]), &grid, &image, WINDOW, &[layer], PANEL);
    let row: Vec<u8> = (0..240).map(|x| picture.get_pixel(x, 120).0[0]).collect();
    // Borders at 120 ± 80 px: the line covers the pixels on both sides, and nothing two pixels off.
    for border in [40, 200] {
        assert!(row[border - 1] > 180 && row[border] > 180, "{:?}", &row[border - 4..border + 4]);
        assert!(row[border - 3] == 0 && row[border + 2] == 0, "{:?}", &row[border - 4..border + 4]);
    }
    assert!(row[44..196].iter().all(|&red| red == 0), "nothing inside");
}

#[test]
fn a_tint_covers_the_mask_and_nothing_else() {
    let grid = grid([1.0; 3]);
    let image = drawn(&grid, |_| 0_u8);
    let mask = drawn(&grid, |p| u8::from(p[0].abs() < 10.0));
    let layer = Layer { name: "", mask: &mask, colour: TEST_LINE, style: LayerStyle::Tint };
    let picture = slices::draw(&cut(Plane::Axial, 4.0, [140, 40]), &grid, &image, WINDOW, &[layer], PANEL);
    let red = |x: u32| picture.get_pixel(x, 20).0[0];
    assert!(red(33) > 100 && red(70) > 100 && red(106) > 100);
    assert_eq!([red(27), red(112)], [0, 0]);
}

#[test]
fn millimetres_are_as_long_down_as_across() {
    let grid = Grid::new(
        [30, 30, 12],
        [1.0, 1.0, 2.5],
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [-14.5, -14.5, -13.75],
    )
    .unwrap();
    let ball = drawn(&grid, |p| u8::from(p.iter().map(|c| c * c).sum::<f64>() < 100.0));
    let layers = [Layer { name: "", mask: &ball, colour: TEST_LINE, style: LayerStyle::Tint }];
    let picture = slices::draw(
        &cut(Plane::Coronal, 10.0, [300, 300]),
        &grid,
        &ball,
        Window { low: 0.0, high: 255.0 },
        &layers,
        PANEL,
    );
    let covered = |line: &dyn Fn(u32) -> u8| (0..300).filter(|&i| line(i) > 70).count() as f64 / 10.0;
    let across = covered(&|x| picture.get_pixel(x, 150).0[0]);
    let down = covered(&|y| picture.get_pixel(150, y).0[0]);
    assert!((across - 20.0).abs() < 1.1, "{across} mm");
    assert!((down - 20.0).abs() < 2.6, "{down} mm");
}

#[test]
fn the_scale_bar_is_as_long_as_it_says() {
    for px_per_mm in [0.13, 1.0, 2.37, 17.0] {
        let (mm, length) = scale_bar(px_per_mm, 140.0);
        assert!((f64::from(length) - mm * px_per_mm).abs() < 1e-3);
        assert!(length <= 140.0 && length > 140.0 / 2.6, "{px_per_mm} px/mm: {length} px");
        let mut page = RgbImage::from_pixel(200, 30, Rgb(PAGE));
        draw_scale_bar(&mut page, 20.0, 15.0, length);
        let bright: f32 =
            (0..200).map(|x| f32::from(page.get_pixel(x, 15).0[0] - PAGE[0]) / f32::from(BRIGHT[0] - PAGE[0])).sum();
        assert!((bright - length).abs() < 0.5, "{bright} px drawn of {length}");
    }
    assert_eq!([0.5, 20.0, 100.0].map(format_length), ["0.5 mm", "20 mm", "10 cm"]);
}

#[test]
fn long_headings_are_shortened_to_fit() {
    let name = "a_very_long_name_".repeat(12) + ".nii.gz";
    let short = canvas::fitted(&name, TITLE, 600.0);
    assert!(canvas::text_width(&short, TITLE) <= 600.0 && short.ends_with("nii.gz") && short.starts_with("a_very"));
    assert_eq!(canvas::fitted("short", TITLE, 600.0), "short");
}

#[test]
fn windows_fit_the_kind_of_image() {
    let grid = grid([1.0; 3]);
    let head = drawn(&grid, |p| p[0].abs() < 15.0 && p[1].abs() < 20.0);
    let ct = head.mapv(|inside| if inside { 40_i16 } else { -1000 });
    assert_eq!(Window::of(&ct, None), Window::CT);
    let mut mr = head.mapv(|inside| if inside { 700_f32 } else { 3.0 });
    mr[[0, 0, 0]] = f32::INFINITY;
    mr[[0, 0, 1]] = f32::NAN;
    mr[[7, 25, 20]] = 1e9;
    assert_eq!(Window::of(&mr, None), Window { low: 3.0, high: 700.0 }, "one bright voxel does not count");
    assert_eq!(Window::of(&mr, None).grey(f64::NAN), 0.0);
    let flat = Window::of(&Array3::<u8>::zeros((3, 3, 3)), None);
    assert!(flat.high > flat.low);
}

/// The surface of a box.
fn cuboid(low: [f32; 3], high: [f32; 3]) -> (Vec<[f32; 3]>, Vec<[u32; 3]>) {
    let points = (0..8).map(|c| [0, 1, 2].map(|a| if c >> a & 1 == 0 { low[a] } else { high[a] })).collect();
    let faces = [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]];
    (points, faces.into_iter().flat_map(|[a, b, c, d]| [[a, b, c], [a, c, d]]).collect())
}

fn rendered(camera: &Camera, solids: &[&Solid<'_>], px_per_mm: f64, size: [u32; 2]) -> shaded::Rendering {
    shaded::render(&shaded::Projection::new(camera, solids), px_per_mm, solids, size, STUDIO)
}

#[test]
fn a_box_is_drawn_in_its_true_size_and_the_right_way_round() {
    // 20 x 10 x 40 mm; its right half (x > 0) is blue.
    let (points, triangles) = cuboid([-10.0, -5.0, -20.0], [10.0, 5.0, 20.0]);
    let half = |p: [f32; 3]| if p[0] > 0.0 { [0, 0, 255] } else { [255, 0, 0] };
    let solid = Solid::painted(&points, &triangles, half);
    let picture = rendered(&Camera::FRONT, &[&solid], 3.0, [100, 160]).picture;
    let drawn = |x: u32, y: u32| picture.get_pixel(x, y).0 != STUDIO;
    assert_eq!((0..100).filter(|&x| drawn(x, 80)).count(), 60);
    assert_eq!((0..160).filter(|&y| drawn(50, y)).count(), 120);
    let [left, right] = [25, 75].map(|x| picture.get_pixel(x, 80).0);
    assert!(left[2] > left[0] && right[0] > right[2], "the patient's right is on the left: {left:?} {right:?}");
}

#[test]
fn places_behind_a_surface_are_hidden() {
    let (points, triangles) = cuboid([-10.0; 3], [10.0; 3]);
    let solid = Solid::new(&points, &triangles, palette::BONE);
    let rendering = rendered(&Camera::FRONT, &[&solid], 2.0, [60, 60]);
    assert_eq!(rendering.locate([4.0, 10.0, 5.0], 0.5), Some([22.0, 20.0]), "on the face, to the right and up");
    assert_eq!(rendering.locate([4.0, 0.0, 5.0], 2.0), None, "inside");
    assert_eq!(rendering.locate([0.0, 10.0, 40.0], 0.5), None, "out of the picture");
    assert!(rendering.locate([13.0, -50.0, 0.0], 0.5).is_some(), "beside it");
}

#[test]
fn a_cut_shows_what_is_below_and_marks_the_section() {
    // A vessel: an outer box, and its inside turned inwards.
    let (mut points, mut triangles) = cuboid([-10.0; 3], [10.0; 3]);
    let (inner, inner_triangles) = cuboid([-6.0; 3], [6.0; 3]);
    triangles.extend(inner_triangles.iter().map(|&[a, b, c]| [a + 8, c + 8, b + 8]));
    points.extend(inner);
    let solid = Solid::new(&points, &triangles, [40, 200, 40]);
    let clip = Some(Clip { normal: [0.0, 0.0, 1.0], offset_mm: 0.0 });
    let picture = rendered(&Camera { clip, ..Camera::ABOVE }, &[&solid], 4.0, [100, 100]).picture;
    let is_green = |c: Colour| c[1] > c[0] + 20;
    let [wall, floor] = [18, 50].map(|x| picture.get_pixel(x, 50).0);
    assert!(!is_green(wall) && wall != STUDIO, "the cut wall: {wall:?}");
    assert!(is_green(floor), "the bottom: {floor:?}");
    let whole = rendered(&Camera::ABOVE, &[&solid], 4.0, [100, 100]).picture;
    assert!(is_green(whole.get_pixel(18, 50).0), "uncut, the lid covers all");
}

#[test]
fn a_page_is_the_same_on_one_thread_and_on_many() {
    let grid = grid([1.0; 3]);
    let image = drawn(&grid, |p| (p[0] * 7.0 + p[1] * p[2]) as f32);
    let mask = drawn(&grid, |p| u8::from(p.iter().map(|c| c * c).sum::<f64>() < 100.0));
    let (points, triangles) = cuboid([-9.0, -7.0, -3.0], [8.0, 9.0, 12.0]);
    let solid = Solid::new(&points, &triangles, palette::SKIN);
    // Twice the same surface: equal depths everywhere.
    let mut views = View::around(&solid);
    views[0].solids.push(&solid);
    views[0].markers = (0..4).map(|i| marker([f64::from(i), 9.0, 0.0], i)).collect();
    let layers = [Layer { name: "Ball", mask: &mask, colour: palette::ORANGE, style: LayerStyle::Outline }];
    let views = [views];
    let preview = Preview {
        title: "phantom.nii.gz",
        figures: &["4.2 mL".into()],
        image: &image,
        grid: &grid,
        window: None,
        layers: &layers,
        views: &views,
    };
    let on = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| draw(&preview));
    let one = on(1);
    assert!(one == on(2) && one == on(16));
    assert_eq!(one.width(), WIDTH);
}

fn marker(ras_mm: [f64; 3], number: i32) -> Marker {
    Marker { ras_mm, label: number.to_string(), colour: palette::YELLOW }
}

#[test]
fn labels_of_neighbours_do_not_cover_each_other() {
    let (points, triangles) = cuboid([-40.0; 3], [40.0; 3]);
    let solid = Solid::new(&points, &triangles, [60, 60, 60]);
    let mut rendering = rendered(&Camera::FRONT, &[&solid], 4.0, [400, 400]);
    let markers: Vec<_> = (0..9).map(|i| marker([f64::from(i % 3), 40.0, f64::from(i / 3)], i)).collect();
    let before = rendering.picture.clone();
    draw_markers(&mut rendering, &markers);
    let yellow = rendering.picture.pixels().filter(|p| p.0 == palette::YELLOW).count();
    assert!(yellow > 9 * 250, "nine labels of at least {} px", yellow / 9);
    assert_eq!(rendering.picture.get_pixel(3, 3), before.get_pixel(3, 3));
}

#[test]
fn what_there_is_little_of_is_drawn_all_the_same() {
    for shape in [(1, 1, 1), (1, 5, 5), (3, 1, 2)] {
        let grid = Grid::axis_aligned([shape.2, shape.1, shape.0], [0.3, 1.0, 5.0]).unwrap();
        let image = Array3::from_elem(shape, f32::NAN);
        let mask = Array3::zeros(shape);
        let layers = [Layer { name: "None", mask: &mask, colour: palette::GREEN, style: LayerStyle::Outline }];
        let solid = Solid::new(&[], &[], palette::BONE);
        let views = [View::around(&solid), Vec::new()];
        let preview = Preview {
            title: "",
            figures: &[],
            image: &image,
            grid: &grid,
            window: None,
            layers: &layers,
            views: &views,
        };
        let mut png = Vec::new();
        write(&mut png, &preview).unwrap();
        assert!(png.starts_with(b"\x89PNG"));
    }
}
