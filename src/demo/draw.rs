//! The pictures: one shape on a busy background, drawn with signed distances.
//!
//! # Why shapes
//!
//! A demo should train in minutes and still need a vision model. So only the outline tells the class: place, size, turn,
//! colours and whether the shape is lighter or darker than its surroundings are drawn at random, and all shapes cover the
//! same area, so that neither single pixels nor colour statistics give the class away.

use std::f32::consts::TAU;

use super::dice::{Dice, splitmix64};
use super::shape::{Shape, Vec2};

/// sRGB, each part from 0 to 1.
type Colour = [f32; 3];

/// An 8-bit RGB picture, rows from the top, without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `[height, width, 3]`.
    pub rgb: Vec<u8>,
}

/// Everything that is drawn at random about a picture, before it has a size.
#[derive(Debug, Clone)]
pub struct Scene {
    shape: Shape,
    dice: Dice,
    /// Centre, as a share of the room that the shape leaves.
    centre: Vec2,
    /// As a share of the picture's shorter side.
    radius: f32,
    /// Radians.
    turn: f32,
    /// From and to of the gradients.
    ground: [Colour; 2],
    paint: [Colour; 2],
    rim: Colour,
}

impl Scene {
    /// The picture number `index` of `shape`.
    pub fn new(seed: u64, shape: Shape, index: u64) -> Self {
        let mut dice = Dice::new(&[seed, shape as u64, index, 0x5CE2E]);
        let dark_ground = dice.below(2) == 0;
        let (ground_light, paint_light) = if dark_ground {
            (dice.range(0.26, 0.45), dice.range(0.72, 0.90))
        } else {
            (dice.range(0.74, 0.92), dice.range(0.34, 0.54))
        };
        let mut gradient = |light: f32, chroma: f32, span: f32| {
            let (hue, turn) = (dice.range(0.0, TAU), dice.range(-1.1, 1.1));
            [oklch(light - span, chroma, hue), oklch(light + span, chroma * dice.range(0.7, 1.2), hue + turn)]
        };
        let ground = gradient(ground_light, 0.07, 0.07);
        let paint = gradient(paint_light, 0.15, 0.05);
        let rim = paint[0].map(|c| if dark_ground { 0.25 + 0.75 * c } else { 0.6 * c });
        Scene {
            shape,
            centre: (dice.range(0.0, 1.0), dice.range(0.0, 1.0)),
            radius: dice.range(0.19, 0.30),
            turn: dice.range(0.0, TAU),
            ground,
            paint,
            rim,
            dice,
        }
    }

    /// The scene `frames` frames later in an animation: its shape has turned and wandered.
    pub fn later(&self, frames: u8) -> Self {
        let (step, (x, y)) = (f32::from(frames), self.centre);
        Scene { turn: self.turn + 0.25 * step, centre: ((x + 0.15 * step).fract(), y), ..self.clone() }
    }

    /// Draws the scene `width` × `height` pixels large.
    pub fn paint(&self, width: u32, height: u32) -> Picture {
        let mut dice = self.dice.clone();
        let side = width.min(height) as f32;
        let mut canvas = Canvas { width, height, pixels: vec![[0.0; 3]; width as usize * height as usize] };
        let everywhere = ((0.0, 0.0), (width as f32, height as f32));

        let across = Gradient::new(dice.range(0.0, TAU), everywhere);
        let (broad, fine) = (Noise::new(&mut dice, side / 3.0), Noise::new(&mut dice, side / 9.0));
        canvas.layer(everywhere, |p| {
            let light = 0.16 * broad.at(p) + 0.11 * fine.at(p);
            (blend(self.ground[0], self.ground[1], across.at(p)).map(|c| c + light), 1.0)
        });
        for _ in 0..3 + dice.below(4) {
            let stroke = Stroke::new(&mut dice, width, height);
            let light = dice.range(0.14, 0.24) * if dice.below(2) == 0 { -1.0 } else { 1.0 };
            let colour = self.ground[dice.below(2)].map(|c| c + light);
            canvas.layer(stroke.bounds(), |p| (colour, 0.8 * coverage(stroke.distance(p))));
        }

        let radius = self.radius * side;
        let place = |share: f32, length: u32| radius * 1.3 + share * (length as f32 - radius * 2.6).max(0.0);
        let centre = (place(self.centre.0, width), place(self.centre.1, height));
        let (sin, cos) = self.turn.sin_cos();
        let distance = |p: Vec2| {
            let (x, y) = ((p.0 - centre.0) / radius, (p.1 - centre.1) / radius);
            self.shape.distance((x * cos + y * sin, y * cos - x * sin)) * radius
        };
        let around = |reach: f32| ((centre.0 - reach, centre.1 - reach), (centre.0 + reach, centre.1 + reach));
        let (drop, blur) = (radius * 0.12, radius * 0.45);
        canvas.layer(around(radius * 2.2), |p| {
            let shade = (0.5 - distance((p.0 - drop * 0.6, p.1 - drop)) / blur).clamp(0.0, 1.0);
            ([0.0; 3], 0.42 * shade * shade * (3.0 - 2.0 * shade))
        });
        let along = Gradient::new(dice.range(0.0, TAU), around(radius * 1.2));
        let grain = Noise::new(&mut dice, side / 16.0);
        let edge = (radius * 0.13).max(1.0);
        canvas.layer(around(radius * 1.7), |p| {
            let depth = distance(p);
            let light = 0.06 * grain.at(p);
            let body = blend(self.paint[0], self.paint[1], along.at(p)).map(|c| c + light);
            (blend(body, self.rim, 0.7 * coverage(-depth - edge)), coverage(depth))
        });
        canvas.finish(dice.bits())
    }
}

/// How much of a pixel is inside, from the signed distance of its centre in pixels.
fn coverage(distance: f32) -> f32 {
    (0.5 - distance).clamp(0.0, 1.0)
}

fn blend(a: Colour, b: Colour, share: f32) -> Colour {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * share)
}

/// OKLCH to sRGB, clipped (Björn Ottosson, "A perceptual color space for image processing").
fn oklch(light: f32, chroma: f32, hue: f32) -> Colour {
    let (a, b) = (chroma * hue.cos(), chroma * hue.sin());
    let l = (light + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
    let m = (light - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
    let s = (light - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
    [
        4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
        -1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s,
        -0.004_196_086 * l - 0.703_418_6 * m + 1.707_614_7 * s,
    ]
    .map(|c| if c <= 0.003_130_8 { 12.92 * c.max(0.0) } else { (1.055 * c.powf(1.0 / 2.4) - 0.055).min(1.0) })
}

/// A linear ramp from 0 to 1 over a box.
struct Gradient {
    origin: Vec2,
    step: Vec2,
}

impl Gradient {
    fn new(direction: f32, (from, to): (Vec2, Vec2)) -> Self {
        let reach = (to.0 - from.0).hypot(to.1 - from.1);
        let origin = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
        Gradient { origin, step: (direction.cos() / reach, direction.sin() / reach) }
    }

    fn at(&self, p: Vec2) -> f32 {
        (0.5 + (p.0 - self.origin.0) * self.step.0 + (p.1 - self.origin.1) * self.step.1).clamp(0.0, 1.0)
    }
}

/// Value noise from -1 to 1: random values on a lattice, smoothly interpolated.
struct Noise {
    cell: f32,
    lattice: [f32; 1024],
}

impl Noise {
    fn new(dice: &mut Dice, cell: f32) -> Self {
        Noise { cell: cell.max(1.0), lattice: std::array::from_fn(|_| dice.range(-1.0, 1.0)) }
    }

    fn at(&self, p: Vec2) -> f32 {
        let (x, y) = (p.0 / self.cell, p.1 / self.cell);
        let (column, row) = (x.floor(), y.floor());
        let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
        let (u, v) = (smooth(x - column), smooth(y - row));
        let value = |dx: i32, dy: i32| {
            self.lattice[((column as i32 + dx) & 31) as usize | ((((row as i32 + dy) & 31) as usize) << 5)]
        };
        let top = value(0, 0) + (value(1, 0) - value(0, 0)) * u;
        let bottom = value(0, 1) + (value(1, 1) - value(0, 1)) * u;
        top + (bottom - top) * v
    }
}

/// A thin curved line that distracts.
struct Stroke {
    points: [Vec2; 13],
    half_width: f32,
}

impl Stroke {
    fn new(dice: &mut Dice, width: u32, height: u32) -> Self {
        let mut anywhere = || (dice.range(-0.1, 1.1) * width as f32, dice.range(-0.1, 1.1) * height as f32);
        let (a, b, c) = (anywhere(), anywhere(), anywhere());
        let points = std::array::from_fn(|i| {
            let t = i as f32 / 12.0;
            let (p, q, r) = ((1.0 - t) * (1.0 - t), 2.0 * t * (1.0 - t), t * t);
            (p * a.0 + q * b.0 + r * c.0, p * a.1 + q * b.1 + r * c.1)
        });
        Stroke { points, half_width: dice.range(0.006, 0.016) * width.min(height) as f32 }
    }

    fn bounds(&self) -> (Vec2, Vec2) {
        let reach = self.half_width + 1.0;
        self.points.iter().fold(((f32::MAX, f32::MAX), (f32::MIN, f32::MIN)), |(low, high), p| {
            ((low.0.min(p.0 - reach), low.1.min(p.1 - reach)), (high.0.max(p.0 + reach), high.1.max(p.1 + reach)))
        })
    }

    fn distance(&self, p: Vec2) -> f32 {
        let square = self.points.windows(2).map(|ends| {
            let ((ax, ay), (bx, by)) = (ends[0], ends[1]);
            let (px, py, dx, dy) = (p.0 - ax, p.1 - ay, bx - ax, by - ay);
            let t = ((px * dx + py * dy) / (dx * dx + dy * dy).max(1e-6)).clamp(0.0, 1.0);
            (px - dx * t).powi(2) + (py - dy * t).powi(2)
        });
        square.fold(f32::MAX, f32::min).sqrt() - self.half_width
    }
}

struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<Colour>,
}

impl Canvas {
    /// Lays `paint`'s colour over the pixels within `bounds`, as opaque as it says.
    fn layer(&mut self, (from, to): (Vec2, Vec2), paint: impl Fn(Vec2) -> (Colour, f32)) {
        let clip = |v: f32, most: u32| (v.max(0.0) as usize).min(most as usize);
        let columns = clip(from.0, self.width)..clip(to.0 + 1.0, self.width);
        for y in clip(from.1, self.height)..clip(to.1 + 1.0, self.height) {
            let row = &mut self.pixels[y * self.width as usize..][..self.width as usize];
            for x in columns.clone() {
                let (colour, opacity) = paint((x as f32 + 0.5, y as f32 + 0.5));
                if opacity > 0.0 {
                    row[x] = blend(row[x], colour, opacity);
                }
            }
        }
    }

    /// Adds film grain and rounds to 8 bits.
    fn finish(self, grain: u64) -> Picture {
        let rgb = self.pixels.iter().enumerate().flat_map(|(i, colour)| {
            let bits = splitmix64(grain ^ i as u64);
            let noise = (bits & 0xFF) as f32 + ((bits >> 8) & 0xFF) as f32 - 255.0;
            colour.map(|c| (c * 255.0 + noise * 0.035 + 0.5).clamp(0.0, 255.0) as u8)
        });
        Picture { width: self.width, height: self.height, rgb: rgb.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_a_function_of_seed_class_and_number() {
        let picture = |seed, shape, index| Scene::new(seed, shape, index).paint(24, 16);
        let first = picture(42, Shape::Star, 7);
        assert_eq!(first, picture(42, Shape::Star, 7));
        assert_eq!(first.rgb.len(), 24 * 16 * 3);
        for other in [picture(43, Shape::Star, 7), picture(42, Shape::Cross, 7), picture(42, Shape::Star, 8)] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn the_shape_stands_out_from_its_ground() {
        for shape in Shape::ALL {
            for index in 0..40 {
                let scene = Scene::new(42, shape, index);
                let light = |c: Colour| 0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2];
                let gap =
                    light(scene.paint[0]) + light(scene.paint[1]) - light(scene.ground[0]) - light(scene.ground[1]);
                assert!(gap.abs() / 2.0 > 0.12, "{shape:?} {index}: {gap}");
            }
        }
    }
}
