//! One picture to judge a result by: slices through it, its outline, and shaded views of its surface.

mod canvas;
mod greys;
mod shaded;
mod slices;

pub use canvas::{Colour, palette};
pub use greys::Window;
pub use shaded::{Camera, Clip, Solid};
pub use slices::{Layer, LayerStyle};

use anyhow::Result;
use canvas::Style;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{Rgb, RgbImage};
use ndarray::{ArrayRef3, Axis};
use rayon::prelude::*;
use skull_kernels::{Grid, Voxel};
use slices::{Cut, Plane};
use std::io::Write;

/// What a preview shows.
#[derive(Debug)]
pub struct Preview<'a, T> {
    /// The heading, usually the scan's file name.
    pub title: &'a str,
    /// The key figures, one short phrase each.
    pub figures: &'a [String],
    /// The scan, `[z, y, x]`.
    pub image: &'a ArrayRef3<T>,
    /// Where its voxels lie.
    pub grid: &'a Grid,
    /// Which intensities are black and white; by default [`Window::of`] the image inside the first layer.
    pub window: Option<Window>,
    /// Masks on the slices. The first is the region that the slices go through the middle of.
    pub layers: &'a [Layer<'a>],
    /// Rows of shaded views. The views of a row share one scale.
    pub views: &'a [Vec<View<'a>>],
}

/// A shaded view of surfaces.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// The line under the picture.
    pub caption: String,
    /// What is seen.
    pub solids: Vec<&'a Solid<'a>>,
    /// From where.
    pub camera: Camera,
    /// Numbered places.
    pub markers: Vec<Marker>,
}

/// A labelled place in a shaded view; not shown where a surface hides it.
#[derive(Debug, Clone, PartialEq)]
pub struct Marker {
    /// Where, RAS.
    pub ras_mm: [f64; 3],
    /// The label, a number or a short word.
    pub label: String,
    /// Its colour.
    pub colour: Colour,
}

impl<'a> View<'a> {
    /// The usual row: from in front, from in front and the left, and from the left.
    #[must_use]
    pub fn around(solid: &'a Solid<'a>) -> Vec<Self> {
        let view = |caption: &str, camera| Self {
            caption: caption.to_owned(),
            solids: vec![solid],
            camera,
            markers: Vec::new(),
        };
        vec![
            view("From the front", Camera::FRONT),
            view("From the front and left", Camera::THREE_QUARTER),
            view("From the left", Camera::LEFT),
        ]
    }
}

/// Writes a preview as PNG.
///
/// # Errors
/// Where `out` cannot be written.
pub fn write<T: Voxel>(out: &mut dyn Write, preview: &Preview<'_, T>) -> Result<()> {
    let encoder = PngEncoder::new_with_quality(out, CompressionType::Fast, FilterType::Adaptive);
    Ok(draw(preview).write_with_encoder(encoder)?)
}

/// Draws a preview. A tenth of a second for the slices, and about as much for each million triangles in a view.
#[must_use]
pub fn draw<T: Voxel>(preview: &Preview<'_, T>) -> RgbImage {
    let rows: Vec<Row> =
        std::iter::once(slice_row(preview)).chain(preview.views.iter().map(|row| view_row(row))).collect();
    let height = HEADING + rows.iter().map(|row| row.height() + GAP).sum::<u32>() + MARGIN - GAP;
    let mut page = RgbImage::from_pixel(WIDTH, height, Rgb(PAGE));
    draw_heading(&mut page, preview);
    let mut top = HEADING;
    for row in rows {
        row.draw(&mut page, top);
        top += row.height() + GAP;
    }
    page
}

/// Page layout, px.
const WIDTH: u32 = 1800;
const MARGIN: u32 = 28;
const GAP: u32 = 20;
const HEADING: u32 = 104;
/// Height of the strip under a panel, for its caption and scale bar.
const STRIP: u32 = 40;
const TALLEST: u32 = 640;

const PAGE: Colour = [0x17, 0x1A, 0x1E];
const PANEL: Colour = [0x08, 0x09, 0x0B];
/// Behind the surfaces.
const STUDIO: Colour = [0x20, 0x25, 0x2B];
const BRIGHT: Colour = [0xF2, 0xF2, 0xF2];
const MUTED: Colour = [0xB4, 0xBA, 0xC2];

const TITLE: Style = Style { size: 36.0, bold: true, colour: BRIGHT, halo: false };
const FIGURES: Style = Style { size: 23.0, bold: false, colour: MUTED, halo: false };
const CAPTION: Style = Style { size: 22.0, bold: false, colour: MUTED, halo: false };
const SIDE: Style = Style { size: 26.0, bold: true, colour: BRIGHT, halo: true };
const LABEL: Style = Style { size: 18.0, bold: true, colour: [0; 3], halo: false };

/// How much is shown around the region of interest, mm.
const AROUND_MM: f64 = 25.0;

/// A picture with what is written on and under it.
struct Panel {
    picture: RgbImage,
    px_per_mm: f64,
    caption: String,
    /// What lies at the left, right, top and bottom.
    sides: [String; 4],
}

/// Panels of one size, side by side.
struct Row(Vec<Panel>);

impl Row {
    fn height(&self) -> u32 {
        self.0.first().map_or(0, |panel| panel.picture.height() + STRIP)
    }

    fn draw(&self, page: &mut RgbImage, top: u32) {
        let mut left = MARGIN;
        for panel in &self.0 {
            panel.draw(page, left, top);
            left += panel.picture.width() + GAP;
        }
    }
}

/// Width of each of so many panels that fill a row.
fn panel_width(columns: usize) -> u32 {
    let columns = columns.max(1) as u32;
    (WIDTH - 2 * MARGIN - (columns - 1) * GAP) / columns
}

impl Panel {
    fn draw(&self, page: &mut RgbImage, left: u32, top: u32) {
        image::imageops::replace(page, &self.picture, left.into(), top.into());
        let [x0, y0] = [left as f32, top as f32];
        let [width, height] = [self.picture.width() as f32, self.picture.height() as f32];
        let inset = 12.0;
        let places = [
            ([x0 + inset, y0 + height / 2.0], [0.0, 0.5]),
            ([x0 + width - inset, y0 + height / 2.0], [1.0, 0.5]),
            ([x0 + width / 2.0, y0 + inset], [0.5, 0.0]),
            ([x0 + width / 2.0, y0 + height - inset], [0.5, 1.0]),
        ];
        for ((at, anchor), side) in places.into_iter().zip(&self.sides) {
            canvas::write_text(page, at, anchor, side, SIDE);
        }
        let middle = y0 + height + 0.5 * STRIP as f32;
        let (bar_mm, bar) = scale_bar(self.px_per_mm, f64::from(width) / 4.0);
        let right = x0 + width;
        let text = format_length(bar_mm);
        let taken = canvas::text_width(&text, CAPTION) + 10.0 + bar;
        canvas::write_text(page, [right, middle], [1.0, 0.5], &text, CAPTION);
        draw_scale_bar(page, right - taken, middle, bar);
        let caption = canvas::fitted(&self.caption, CAPTION, width - taken - 16.0);
        canvas::write_text(page, [x0, middle], [0.0, 0.5], &caption, CAPTION);
    }
}

/// The longest of 1, 2, 5, 10 … mm that is no longer than `most` px: its length in mm and px.
fn scale_bar(px_per_mm: f64, most: f64) -> (f64, f32) {
    let lengths = (-3..6).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)));
    let mm = lengths.take_while(|mm| mm * px_per_mm <= most).last().unwrap_or(1e-3);
    (mm, (mm * px_per_mm) as f32)
}

fn draw_scale_bar(page: &mut RgbImage, left: f32, middle: f32, length: f32) {
    let tick =
        |page: &mut RgbImage, x: f32| canvas::fill_rectangle(page, [x, middle - 7.0, x + 2.0, middle + 7.0], BRIGHT);
    canvas::fill_rectangle(page, [left, middle - 1.0, left + length, middle + 1.0], BRIGHT);
    tick(page, left);
    tick(page, left + length - 2.0);
}

fn format_length(mm: f64) -> String {
    if mm >= 100.0 { format!("{} cm", mm / 10.0) } else { format!("{mm} mm") }
}

fn draw_heading(page: &mut RgbImage, preview: &Preview<'_, impl Voxel>) {
    let right = (WIDTH - MARGIN) as f32;
    let mut left_of_legend = right;
    for layer in preview.layers.iter().rev() {
        canvas::write_text(page, [left_of_legend, 36.0], [1.0, 0.5], layer.name, FIGURES);
        left_of_legend -= canvas::text_width(layer.name, FIGURES) + 34.0;
        let [x, thick] = [left_of_legend, if layer.style == LayerStyle::Outline { 2.0 } else { 7.0 }];
        canvas::fill_rectangle(page, [x, 36.0 - thick, x + 26.0, 36.0 + thick], layer.colour);
        left_of_legend -= 28.0;
    }
    let title = canvas::fitted(preview.title, TITLE, left_of_legend - MARGIN as f32 - 20.0);
    canvas::write_text(page, [MARGIN as f32, 36.0], [0.0, 0.5], &title, TITLE);
    let figures = canvas::fitted(&preview.figures.join("   ·   "), FIGURES, right - MARGIN as f32);
    canvas::write_text(page, [MARGIN as f32, 76.0], [0.0, 0.5], &figures, FIGURES);
}

/// The three slices, to one scale and in panels of one size.
fn slice_row<T: Voxel>(preview: &Preview<'_, T>) -> Row {
    let region = preview.layers.first().and_then(|layer| Region::of(layer.mask));
    let (low, high, through_mm) = frame(preview.grid, region.as_ref());
    let extent = [0, 1, 2].map(|r| high[r] - low[r]);
    let widest = Plane::ALL.iter().map(|plane| extent[plane.axes()[1]]).fold(0.0, f64::max);
    let tallest = Plane::ALL.iter().map(|plane| extent[plane.axes()[2]]).fold(0.0, f64::max);
    let width = panel_width(3);
    let px_per_mm = (f64::from(width) / widest).min(f64::from(TALLEST) / tallest);
    let size = [width, ((tallest * px_per_mm).round() as u32).max(width / 3)];
    let first = preview.layers.first().map(|layer| layer.mask);
    let window = preview.window.unwrap_or_else(|| Window::of(preview.image, first));
    let panels = Plane::ALL.map(|plane| {
        let [across, left, top] = plane.axes();
        let mut centre_mm = [0, 1, 2].map(|r| (low[r] + high[r]) / 2.0);
        centre_mm[across] = through_mm[across];
        let cut = Cut { plane, centre_mm, pixel_mm: 1.0 / px_per_mm, size };
        let side = |axis: usize, sign: f64| side_name(unit_axis(axis, sign));
        let place = through_mm[across].round();
        Panel {
            picture: slices::draw(&cut, preview.grid, preview.image, window, preview.layers, PANEL),
            px_per_mm,
            caption: format!(
                "{}, {} {} mm",
                plane.name(),
                side(across, if place < 0.0 { -1.0 } else { 1.0 }),
                place.abs()
            ),
            sides: [side(left, 1.0), side(left, -1.0), side(top, 1.0), side(top, -1.0)],
        }
    });
    Row(panels.into())
}

/// Lowest and highest corner (RAS mm) of what the slices show, and the point that all go through.
fn frame(grid: &Grid, region: Option<&Region>) -> ([f64; 3], [f64; 3], [f64; 3]) {
    let whole = Region::whole(grid);
    let (mut low, mut high) = whole.bounds_mm(grid);
    let Some(region) = region else { return (low, high, grid.ras_mm(whole.centre)) };
    let (region_low, region_high) = region.bounds_mm(grid);
    for r in 0..3 {
        low[r] = low[r].max(region_low[r] - AROUND_MM);
        high[r] = high[r].min(region_high[r] + AROUND_MM);
    }
    (low, high, grid.ras_mm(region.centre))
}

/// Part of a volume, in voxel indices (x, y, z).
struct Region {
    low: [f64; 3],
    high: [f64; 3],
    /// Centre of mass.
    centre: [f64; 3],
}

impl Region {
    fn whole(grid: &Grid) -> Self {
        let high = grid.size().map(|n| n as f64 - 1.0);
        Self { low: [0.0; 3], high, centre: high.map(|h| h / 2.0) }
    }

    /// The bounds of a mask, if it has any voxel.
    fn of(mask: &ArrayRef3<u8>) -> Option<Self> {
        let slices: Vec<_> = mask.axis_iter(Axis(0)).collect();
        let found: Vec<_> = slices
            .par_iter()
            .map(|slice| {
                let mut bounds = [usize::MAX, 0, usize::MAX, 0];
                let mut sums = [0_u64; 3];
                for (y, row) in slice.axis_iter(Axis(0)).enumerate() {
                    for (x, _) in row.iter().enumerate().filter(|(_, m)| **m != 0) {
                        bounds = [bounds[0].min(x), bounds[1].max(x), bounds[2].min(y), bounds[3].max(y)];
                        sums = [sums[0] + 1, sums[1] + x as u64, sums[2] + y as u64];
                    }
                }
                (bounds, sums)
            })
            .collect();
        let mut region: Option<[[usize; 2]; 3]> = None;
        let (mut count, mut total) = (0, [0; 3]);
        for (z, (bounds, sums)) in found.into_iter().enumerate().filter(|(_, (_, sums))| sums[0] > 0) {
            let [x, y, slab] = region.unwrap_or([[usize::MAX, 0], [usize::MAX, 0], [z, z]]);
            region = Some([
                [x[0].min(bounds[0]), x[1].max(bounds[1])],
                [y[0].min(bounds[2]), y[1].max(bounds[3])],
                [slab[0], z],
            ]);
            count += sums[0];
            total = [total[0] + sums[1], total[1] + sums[2], total[2] + z as u64 * sums[0]];
        }
        let bounds = region?;
        Some(Self {
            low: bounds.map(|b| b[0] as f64),
            high: bounds.map(|b| b[1] as f64),
            centre: total.map(|t| t as f64 / count as f64),
        })
    }

    /// Bounds in RAS of its voxels, faces included.
    fn bounds_mm(&self, grid: &Grid) -> ([f64; 3], [f64; 3]) {
        let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
        for corner in 0..8 {
            let index = [0, 1, 2].map(|a| if corner >> a & 1 == 0 { self.low[a] - 0.5 } else { self.high[a] + 0.5 });
            for (r, place) in grid.ras_mm(index).into_iter().enumerate() {
                low[r] = low[r].min(place);
                high[r] = high[r].max(place);
            }
        }
        (low, high)
    }
}

fn view_row(views: &[View<'_>]) -> Row {
    let width = panel_width(views.len());
    let size = [width, width.min(TALLEST)];
    // What is seen from the same place is framed alike, so that before and after can be compared.
    let frame = |view: &View<'_>| {
        let alike = views.iter().filter(|other| other.camera == view.camera);
        shaded::Projection::new(&view.camera, &alike.flat_map(|other| other.solids.iter().copied()).collect::<Vec<_>>())
    };
    let projections: Vec<_> = views.iter().map(frame).collect();
    let inner = size.map(|side| side - 2 * MARGIN);
    let px_per_mm = projections.iter().map(|projection| projection.fit(inner)).fold(f64::INFINITY, f64::min);
    let panel = |(view, projection): (&View<'_>, &shaded::Projection)| {
        let mut rendering = shaded::render(projection, px_per_mm, &view.solids, size, STUDIO);
        draw_markers(&mut rendering, &view.markers);
        let [right, up, _] = view.camera.axes();
        let sides = [right.map(|c| -c), right, up, up.map(|c| -c)].map(side_name);
        Panel { picture: rendering.picture, px_per_mm, caption: view.caption.clone(), sides }
    };
    Row(views.iter().zip(&projections).map(panel).collect())
}

/// More labels than this in one picture would hide it.
const MOST_LABELS: usize = 40;

/// How far behind a surface a marked place may lie and still count as seen, mm.
const HIDDEN_MM: f32 = 2.0;

/// Draws a ring at each place that can be seen, and its label where there is room; the first ones are served first.
fn draw_markers(rendering: &mut shaded::Rendering, markers: &[Marker]) {
    let seen: Vec<_> =
        markers.iter().filter_map(|marker| Some((marker, rendering.locate(marker.ras_mm, HIDDEN_MM)?))).collect();
    let size = [rendering.picture.width() as f32, rendering.picture.height() as f32];
    let mut taken: Vec<[f32; 4]> = seen.iter().map(|(_, [x, y])| [x - 6.0, y - 6.0, x + 6.0, y + 6.0]).collect();
    for (number, (marker, at)) in seen.into_iter().enumerate() {
        let half = [canvas::text_width(&marker.label, LABEL) / 2.0 + 6.0, 10.5];
        let boxed = |c: [f32; 2]| [c[0] - half[0], c[1] - half[1], c[0] + half[0], c[1] + half[1]];
        let free = |c: &[f32; 2]| {
            let [x0, y0, x1, y1] = boxed(*c);
            let on_picture = x0 >= 2.0 && y0 >= 2.0 && x1 <= size[0] - 2.0 && y1 <= size[1] - 2.0;
            on_picture && taken.iter().all(|t| x1 < t[0] || t[2] < x0 || y1 < t[1] || t[3] < y0)
        };
        let mut around = (2..12).flat_map(|ring| {
            let turn = |step: u16| f32::from(step) * std::f32::consts::TAU / 16.0 - 0.8;
            let radius = 13.0 * ring as f32;
            (0..16).map(move |step| [at[0] + radius * turn(step).cos(), at[1] + radius * turn(step).sin()])
        });
        // Where there is no room at all the ring alone is shown.
        let label = around.find(free).filter(|_| number < MOST_LABELS);
        let picture = &mut rendering.picture;
        if let Some(label) = label {
            canvas::draw_line(picture, at, label, 1.6, marker.colour);
        }
        canvas::fill_disc(picture, at, 5.5, [0; 3]);
        canvas::fill_disc(picture, at, 4.0, marker.colour);
        if let Some(label) = label {
            let [x0, y0, x1, y1] = boxed(label);
            canvas::draw_line(picture, [x0 + half[1], label[1]], [x1 - half[1], label[1]], y1 - y0, marker.colour);
            canvas::write_text(picture, label, [0.5, 0.5], &marker.label, LABEL);
            taken.push([x0, y0, x1, y1]);
        }
    }
}

/// The patient's side in a direction (RAS), as DICOM names it: the largest component's letter first, others after it
/// if the direction is oblique.
fn side_name(direction: [f64; 3]) -> String {
    let mut parts: Vec<(f64, char)> = direction
        .iter()
        .zip([['L', 'R'], ['P', 'A'], ['I', 'S']])
        .map(|(&component, letters)| (component.abs(), letters[usize::from(component > 0.0)]))
        .filter(|(size, _)| *size > 0.35)
        .collect();
    parts.sort_by(|a, b| b.0.total_cmp(&a.0));
    parts.into_iter().map(|(_, letter)| letter).collect()
}

fn unit_axis(axis: usize, sign: f64) -> [f64; 3] {
    let mut direction = [0.0; 3];
    direction[axis] = sign;
    direction
}

#[cfg(test)]
mod tests;
