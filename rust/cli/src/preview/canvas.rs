//! Anti-aliased strokes and text on an RGB image.

use ab_glyph::{Font as _, FontRef, PxScale, ScaleFont as _};
use image::{Rgb, RgbImage};
use std::sync::LazyLock;

/// A colour, sRGB.
pub type Colour = [u8; 3];

/// Colours that the colour-blind tell apart: Okabe M, Ito K, *Color Universal Design*, 2008.
pub mod palette {
    use super::Colour;
    /// Orange.
    pub const ORANGE: Colour = [0xE6, 0x9F, 0x00];
    /// Sky blue.
    pub const SKY_BLUE: Colour = [0x56, 0xB4, 0xE9];
    /// Bluish green.
    pub const GREEN: Colour = [0x00, 0x9E, 0x73];
    /// Yellow.
    pub const YELLOW: Colour = [0xF0, 0xE4, 0x42];
    /// Vermilion.
    pub const VERMILION: Colour = [0xD5, 0x5E, 0x00];
    /// Reddish purple.
    pub const PURPLE: Colour = [0xCC, 0x79, 0xA7];
    /// Not of the set: light skin, for shaded surfaces.
    pub const SKIN: Colour = [0xE3, 0xC4, 0xAE];
    /// Not of the set: dry bone, for shaded surfaces.
    pub const BONE: Colour = [0xE9, 0xDF, 0xC9];
}

// DejaVu Sans, under the Bitstream Vera licence (see the NOTICE file).
static REGULAR: LazyLock<FontRef<'static>> =
    LazyLock::new(|| FontRef::try_from_slice(dejavu::sans::regular()).expect("the embedded font is whole"));
static BOLD: LazyLock<FontRef<'static>> =
    LazyLock::new(|| FontRef::try_from_slice(dejavu::sans::bold()).expect("the embedded font is whole"));

/// How text is set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// Height of a line, px.
    pub(crate) size: f32,
    pub(crate) bold: bool,
    pub(crate) colour: Colour,
    /// A dark rim that keeps the text legible on a picture.
    pub(crate) halo: bool,
}

/// Which point of the text's box lies at the given place, as shares of its width and height.
pub(crate) type Anchor = [f32; 2];

/// Width of a line of text, px.
pub(crate) fn text_width(text: &str, style: Style) -> f32 {
    layout(text, style).1
}

/// `text`, shortened in its middle to fit `width` px.
pub(crate) fn fitted(text: &str, style: Style, width: f32) -> String {
    if text_width(text, style) <= width {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    let shortened = |kept: usize| {
        let head = kept.div_ceil(2);
        let tail = letters.len() - (kept - head);
        letters[..head].iter().chain(['…'].iter()).chain(&letters[tail..]).collect::<String>()
    };
    let kept = (1..letters.len()).rev().find(|&kept| text_width(&shortened(kept), style) <= width);
    shortened(kept.unwrap_or(0))
}

/// Writes one line of text.
pub(crate) fn write_text(canvas: &mut RgbImage, at: [f32; 2], anchor: Anchor, text: &str, style: Style) {
    let font = font(style).as_scaled(PxScale::from(style.size));
    let (glyphs, width) = layout(text, style);
    // Capitals, not the line with its accents and descenders, are what looks centred.
    let capitals = 0.73 * style.size / 1.164;
    let left = at[0] - anchor[0] * width;
    let baseline = (at[1] - anchor[1] * capitals + capitals).round();
    let mut ink = Vec::new();
    for (id, x) in glyphs {
        let glyph = id.with_scale_and_position(font.scale(), ab_glyph::point(left + x, baseline));
        if let Some(outline) = font.outline_glyph(glyph) {
            let corner = outline.px_bounds().min;
            #[allow(clippy::cast_possible_truncation, reason = "places on a canvas")]
            outline
                .draw(|x, y, cover| ink.push((corner.x as i64 + i64::from(x), corner.y as i64 + i64::from(y), cover)));
        }
    }
    if style.halo {
        for &(x, y, cover) in &ink {
            for (dx, dy) in
                [(-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, -1), (-1, 1), (1, 1), (2, 0), (-2, 0), (0, 2), (0, -2)]
            {
                blend(canvas, x + dx, y + dy, [0, 0, 0], 0.35 * cover);
            }
        }
    }
    for (x, y, cover) in ink {
        blend(canvas, x, y, style.colour, cover);
    }
}

/// Fills an upright rectangle `[left, top, right, bottom)`, edges anti-aliased.
pub(crate) fn fill_rectangle(canvas: &mut RgbImage, [x0, y0, x1, y1]: [f32; 4], colour: Colour) {
    each_pixel(canvas, [x0, y0, x1, y1], |x, y| {
        let cover = |lo: f32, hi: f32, at: f32| (hi.min(at + 0.5) - lo.max(at - 0.5)).clamp(0.0, 1.0);
        (colour, cover(x0, x1, x) * cover(y0, y1, y))
    });
}

/// Draws a straight stroke with round ends.
pub(crate) fn draw_line(canvas: &mut RgbImage, a: [f32; 2], b: [f32; 2], width: f32, colour: Colour) {
    let reach = width / 2.0 + 1.0;
    let frame = [a[0].min(b[0]) - reach, a[1].min(b[1]) - reach, a[0].max(b[0]) + reach, a[1].max(b[1]) + reach];
    let along = [b[0] - a[0], b[1] - a[1]];
    let length2 = (along[0] * along[0] + along[1] * along[1]).max(1e-12);
    each_pixel(canvas, frame, |x, y| {
        let t = (((x - a[0]) * along[0] + (y - a[1]) * along[1]) / length2).clamp(0.0, 1.0);
        let distance = (x - a[0] - t * along[0]).hypot(y - a[1] - t * along[1]);
        (colour, (width / 2.0 + 0.5 - distance).clamp(0.0, 1.0))
    });
}

/// Fills a disc.
pub(crate) fn fill_disc(canvas: &mut RgbImage, centre: [f32; 2], radius: f32, colour: Colour) {
    draw_line(canvas, centre, centre, 2.0 * radius, colour);
}

/// Mixes a colour into one pixel; off the canvas nothing happens.
pub(crate) fn blend(canvas: &mut RgbImage, x: i64, y: i64, colour: Colour, cover: f32) {
    let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
    if let Some(Rgb(pixel)) = canvas.get_pixel_mut_checked(x, y) {
        *pixel = mix(*pixel, colour, cover);
    }
}

/// The colour `share` of the way from one to the other.
pub(crate) fn mix(from: Colour, to: Colour, share: f32) -> Colour {
    let share = share.clamp(0.0, 1.0);
    [0, 1, 2].map(|c| {
        let value = f32::from(from[c]) + share * (f32::from(to[c]) - f32::from(from[c]));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 255")]
        let byte = value.round() as u8;
        byte
    })
}

/// Blends what `paint` says for the centre of each pixel that touches the frame.
fn each_pixel(canvas: &mut RgbImage, [x0, y0, x1, y1]: [f32; 4], paint: impl Fn(f32, f32) -> (Colour, f32)) {
    #[allow(clippy::cast_possible_truncation, reason = "places on a canvas")]
    let range = |lo: f32, hi: f32| (lo.floor() as i64).max(0)..hi.ceil() as i64;
    for y in range(y0, y1.min(canvas.height() as f32)) {
        for x in range(x0, x1.min(canvas.width() as f32)) {
            let (colour, cover) = paint(x as f32 + 0.5, y as f32 + 0.5);
            if cover > 0.0 {
                blend(canvas, x, y, colour, cover);
            }
        }
    }
}

fn font(style: Style) -> &'static FontRef<'static> {
    if style.bold { &BOLD } else { &REGULAR }
}

/// Each letter's place along the line, and the line's width, px.
fn layout(text: &str, style: Style) -> (Vec<(ab_glyph::GlyphId, f32)>, f32) {
    let font = font(style).as_scaled(PxScale::from(style.size));
    let mut glyphs: Vec<(ab_glyph::GlyphId, f32)> = Vec::new();
    let mut x = 0.0;
    for letter in text.chars() {
        let id = font.glyph_id(letter);
        if let Some(&(last, _)) = glyphs.last() {
            x += font.kern(last, id);
        }
        glyphs.push((id, x));
        x += font.h_advance(id);
    }
    (glyphs, x)
}
