//! The classes: five shapes, known by their outlines.

/// A point in the plane, y downwards.
pub(super) type Vec2 = (f32, f32);

/// A class of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// A disc.
    Circle,
    /// A plus sign of thick arms.
    Cross,
    /// A square with slightly rounded corners.
    Square,
    /// A star of five points.
    Star,
    /// An equilateral triangle.
    Triangle,
}

impl Shape {
    /// Every class, by name.
    pub const ALL: [Shape; 5] = [Shape::Circle, Shape::Cross, Shape::Square, Shape::Star, Shape::Triangle];

    /// The class's folder.
    pub const fn as_str(self) -> &'static str {
        match self {
            Shape::Circle => "circle",
            Shape::Cross => "cross",
            Shape::Square => "square",
            Shape::Star => "star",
            Shape::Triangle => "triangle",
        }
    }

    /// Signed distance of `p` to the outline, negative inside. Every shape has the area of the unit circle.
    ///
    /// Formulas: Inigo Quilez, "2D distance functions".
    pub(super) fn distance(self, p: Vec2) -> f32 {
        let rectangle = |x: f32, y: f32| {
            let (dx, dy) = (p.0.abs() - x, p.1.abs() - y);
            dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0)
        };
        match self {
            Shape::Circle => p.0.hypot(p.1) - 1.0,
            Shape::Square => rectangle(0.83, 0.83) - 0.06,
            Shape::Cross => rectangle(1.14, 0.39).min(rectangle(0.39, 1.14)) - 0.02,
            Shape::Triangle => triangle(p, 1.31) - 0.02,
            Shape::Star => star(p, 1.52, 0.45) - 0.02,
        }
    }
}

/// Distance to an equilateral triangle around the origin whose sides are 2 `half` long.
fn triangle(p: Vec2, half: f32) -> f32 {
    let k = 3f32.sqrt();
    let (mut x, mut y) = (p.0.abs() - half, p.1 + half / k);
    if x + k * y > 0.0 {
        (x, y) = ((x - k * y) / 2.0, (-k * x - y) / 2.0);
    }
    x -= x.clamp(-2.0 * half, 0.0);
    -x.hypot(y) * y.signum()
}

/// Distance to a star of five points on a circle of `radius`; `depth` is the inner radius as a share of the outer.
fn star(p: Vec2, radius: f32, depth: f32) -> f32 {
    const K: Vec2 = (0.809_017, -0.587_785_25);
    let (mut x, mut y) = (p.0.abs(), p.1);
    for k in [K, (-K.0, K.1)] {
        let fold = 2.0 * (k.0 * x + k.1 * y).max(0.0);
        (x, y) = (x - fold * k.0, y - fold * k.1);
    }
    (x, y) = (x.abs(), y - radius);
    let (bx, by) = (depth * -K.1, depth * K.0 - 1.0);
    let h = ((x * bx + y * by) / (bx * bx + by * by)).clamp(0.0, radius);
    (x - bx * h).hypot(y - by * h) * (y * bx - x * by).signum()
}

#[cfg(test)]
mod tests {
    use std::f32::consts::PI;

    use super::*;

    #[test]
    fn every_shape_covers_the_same_area() {
        for shape in Shape::ALL {
            let steps = (-400..400).flat_map(|x| (-400..400).map(move |y| (x as f32 / 200.0, y as f32 / 200.0)));
            let area = steps.filter(|p| shape.distance(*p) < 0.0).count() as f32 / (200.0 * 200.0);
            assert!((area / PI - 1.0).abs() < 0.05, "{shape:?} covers {area}, a unit circle {PI}");
        }
    }
}
