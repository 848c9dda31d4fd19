//! The bytes of each file: a picture in its dirty encoding, or what stands in its place.

use std::io::Cursor;

use image::codecs::{bmp::BmpEncoder, gif::GifEncoder, png::PngEncoder, tiff::TiffEncoder};
use image::{DynamicImage, ExtendedColorType, Frame, ImageEncoder, RgbImage, RgbaImage};
use turbojpeg::{Colorspace, Compressor, PixelFormat, Subsamp};

use super::Options;
use super::damage::{bit_flipped, entropy_start, turned, without_tail};
use super::decoy;
use super::dice::Dice;
use super::dirt::Dirt;
use super::draw::{Picture, Scene};
use super::plan::File;

/// An encoder that failed.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// libjpeg-turbo.
    #[error(transparent)]
    Jpeg(#[from] turbojpeg::Error),
    /// BMP, GIF, PNG or TIFF.
    #[error(transparent)]
    Image(#[from] image::ImageError),
    /// PNG with a palette.
    #[error(transparent)]
    Png(#[from] png::EncodingError),
    /// libwebp.
    #[error("libwebp: {0}")]
    Webp(String),
    /// No bit of this JPEG, when flipped, is noticed by a decoder.
    #[error("no single flipped bit damages this JPEG")]
    NoFlip,
}

/// A star, 96 × 96 pixels, 799 bytes: `Scene::new(42, Shape::Star, 0)`, made once with Pillow 13.0.0 (libavif 1.4.2):
/// `Image.open("star_0000.png").save("star.avif", quality=40, speed=0)`.
const STAR_AVIF: &[u8] = include_bytes!("star.avif");

/// Quality of the clean JPEGs.
pub(super) const QUALITY: i32 = 90;

/// The content of `file`.
pub(super) fn bytes(file: &File, options: &Options) -> Result<Vec<u8>, EncodeError> {
    let (class, number) = (file.shows.0.as_str(), file.shows.1);
    let dice = Dice::new(&[options.seed, file.shows.0 as u64, number, 0xD127, file.dirt as u64]);
    let scene = Scene::new(options.seed, file.shows.0, number);
    let (width, height) = size(file, options);
    let picture = || scene.paint(width, height);
    let clean = || jpeg(&picture(), PixelFormat::RGB, QUALITY, |_| Ok(()));
    Ok(match file.dirt {
        Dirt::Clean
        | Dirt::UpperCase
        | Dirt::NoExtension
        | Dirt::OddName
        | Dirt::NonUtf8Name
        | Dirt::ExactDuplicate
        | Dirt::LabelConflict => clean()?,
        Dirt::NearDuplicate => jpeg(&picture(), PixelFormat::RGB, 60, |_| Ok(()))?,
        Dirt::Progressive => jpeg(&picture(), PixelFormat::RGB, QUALITY, |c| c.set_progressive(true))?,
        Dirt::Gray => jpeg(&picture(), PixelFormat::RGB, QUALITY, |c| c.set_subsamp(Subsamp::Gray))?,
        Dirt::Cmyk => jpeg(&inks(&picture()), PixelFormat::CMYK, QUALITY, |c| {
            c.set_subsamp(Subsamp::None)?;
            c.set_colorspace(Colorspace::CMYK)
        })?,
        Dirt::Orientation => turned(picture(), 2 + (file.nth % 7) as u8)?,
        Dirt::MissingEoi => without_tail(clean()?, 2),
        Dirt::Truncated => {
            let whole = clean()?;
            let cut = whole.len() * 2 / 5;
            without_tail(whole, cut)
        }
        Dirt::BitFlipped => bit_flipped(clean()?, dice)?,
        Dirt::HeaderOnly => {
            let mut whole = clean()?;
            whole.truncate(entropy_start(&whole));
            whole
        }
        Dirt::TrailingBytes => [clean()?, b"\r\n--boundary-7MA4YWxk--\r\n".repeat(1 + file.nth)].concat(),
        Dirt::WebpAsJpg => webp(&picture(), file.nth % 3 == 2)?,
        Dirt::Webp => webp(&picture(), file.nth % 2 == 1)?,
        Dirt::AnimatedWebp => animated_webp(&frames(&scene, width, height))?,
        Dirt::AnimatedGif => animated_gif(frames(&scene, width, height))?,
        Dirt::PngAsJpg | Dirt::Png => png(&picture())?,
        Dirt::GifAsJpg => still_gif(&picture())?,
        Dirt::BmpAsJpg => {
            let mut out = Vec::new();
            BmpEncoder::new(&mut out).encode(&picture().rgb, width, height, ExtendedColorType::Rgb8)?;
            out
        }
        Dirt::TiffAsJpg => {
            let mut out = Cursor::new(Vec::new());
            TiffEncoder::new(&mut out).write_image(&picture().rgb, width, height, ExtendedColorType::Rgb8)?;
            out.into_inner()
        }
        Dirt::Png16 => png16(&picture(), dice)?,
        Dirt::RgbaPng => rgba_png(&picture())?,
        Dirt::PalettePng => palette_png(&picture())?,
        Dirt::AvifAsJpg => STAR_AVIF.to_vec(),
        Dirt::Bomb => decoy::bomb(),
        Dirt::Empty => Vec::new(),
        Dirt::HtmlPage => decoy::html_page(class, number).into_bytes(),
        Dirt::S3Error => decoy::s3_error(class, number).into_bytes(),
        Dirt::LfsPointer => decoy::lfs_pointer(&clean()?).into_bytes(),
        Dirt::Text => format!("download of {class} {number} failed: connection reset by peer\n").into_bytes(),
        Dirt::Pdf => decoy::pdf(class).into_bytes(),
        Dirt::Svg => decoy::svg(class).into_bytes(),
        Dirt::NotAnImage if file.class.is_some() => b"Pictures 1-40 are from the first session.\n".to_vec(),
        Dirt::NotAnImage => b"\0\0\0\x01Bud1\0\0\x10\0\0\0\x08\0\0\0\x10\0".to_vec(),
    })
}

/// Width and height in pixels: mostly square, sometimes wide or tall, and a few of the clean ones large.
fn size(file: &File, options: &Options) -> (u32, u32) {
    let side = options.side;
    // Copies must draw what their originals draw, and large pictures are slow to encode losslessly.
    let plain = matches!(
        file.dirt,
        Dirt::Clean
            | Dirt::ExactDuplicate
            | Dirt::NearDuplicate
            | Dirt::UpperCase
            | Dirt::OddName
            | Dirt::TrailingBytes
    );
    match Dice::new(&[options.seed, file.shows.0 as u64, file.shows.1, 0x512E]).below(100) {
        0..3 if plain => (side * 20 / 3, side * 5),
        0..15 => (side * 4 / 3, side),
        15..22 => (side, side * 4 / 3),
        _ => (side, side),
    }
}

/// Encodes `picture`, whose pixels are of `format`; `setting` changes what is not as in a clean one.
pub(super) fn jpeg(
    picture: &Picture,
    format: PixelFormat,
    quality: i32,
    setting: impl FnOnce(&mut Compressor) -> Result<(), turbojpeg::Error>,
) -> Result<Vec<u8>, EncodeError> {
    let mut compressor = Compressor::new()?;
    compressor.set_quality(quality)?;
    compressor.set_subsamp(Subsamp::Sub2x2)?;
    setting(&mut compressor)?;
    let (width, height) = (picture.width as usize, picture.height as usize);
    let image = turbojpeg::Image { pixels: &picture.rgb[..], width, pitch: width * format.size(), height, format };
    Ok(compressor.compress_to_vec(image)?)
}

/// Cyan, magenta, yellow and black of each pixel, with 255 for no ink, as Adobe's JPEGs store them.
fn inks(picture: &Picture) -> Picture {
    let inks = picture.rgb.as_chunks::<3>().0.iter().flat_map(|rgb| {
        let key = rgb.iter().copied().max().unwrap_or(0);
        let ink = |c: u8| if key == 0 { 255 } else { (u32::from(c) * 255 / u32::from(key)) as u8 };
        [ink(rgb[0]), ink(rgb[1]), ink(rgb[2]), key]
    });
    Picture { rgb: inks.collect(), ..*picture }
}

#[expect(clippy::expect_used, reason = "a Picture holds width × height pixels by construction")]
pub(super) fn rgb_image(picture: Picture) -> RgbImage {
    RgbImage::from_raw(picture.width, picture.height, picture.rgb).expect("as many pixels as width × height")
}

fn webp(picture: &Picture, lossless: bool) -> Result<Vec<u8>, EncodeError> {
    let encoder = webp::Encoder::from_rgb(&picture.rgb, picture.width, picture.height);
    let bytes = encoder.encode_simple(lossless, 85.0).map_err(|error| EncodeError::Webp(format!("{error:?}")))?;
    Ok(bytes.to_vec())
}

/// Three pictures of a moving shape; the first is the scene as it is.
fn frames(scene: &Scene, width: u32, height: u32) -> [Picture; 3] {
    [0, 1, 2].map(|frames| scene.later(frames).paint(width, height))
}

fn animated_webp(frames: &[Picture; 3]) -> Result<Vec<u8>, EncodeError> {
    let fail = |what: &dyn std::fmt::Debug| EncodeError::Webp(format!("{what:?}"));
    let config = webp::WebPConfig::new().map_err(|()| fail(&"no default configuration"))?;
    let (width, height) = (frames[0].width, frames[0].height);
    let mut encoder = webp::AnimEncoder::new(width, height, &config);
    for (frame, milliseconds) in frames.iter().zip([0, 200, 400]) {
        encoder.add_frame(webp::AnimFrame::from_rgb(&frame.rgb, width, height, milliseconds));
    }
    Ok(encoder.try_encode().map_err(|error| fail(&error))?.to_vec())
}

fn animated_gif(frames: [Picture; 3]) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    let mut encoder = GifEncoder::new(&mut out);
    for frame in frames {
        encoder.encode_frame(Frame::new(DynamicImage::ImageRgb8(rgb_image(frame)).into_rgba8()))?;
    }
    drop(encoder);
    Ok(out)
}

fn still_gif(picture: &Picture) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    GifEncoder::new(&mut out).encode(&picture.rgb, picture.width, picture.height, ExtendedColorType::Rgb8)?;
    Ok(out)
}

fn png(picture: &Picture) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    PngEncoder::new(&mut out).write_image(&picture.rgb, picture.width, picture.height, ExtendedColorType::Rgb8)?;
    Ok(out)
}

/// 16 bits a sample, the lower eight random: scaling to 8 bits gives the picture back.
fn png16(picture: &Picture, mut dice: Dice) -> Result<Vec<u8>, EncodeError> {
    let deep = picture.rgb.iter().flat_map(|c| (u16::from(*c) << 8 | (dice.bits() & 0xFF) as u16).to_ne_bytes());
    let (deep, mut out) = (deep.collect::<Vec<_>>(), Vec::new());
    PngEncoder::new(&mut out).write_image(&deep, picture.width, picture.height, ExtendedColorType::Rgb16)?;
    Ok(out)
}

/// Round, transparent corners over black, which shows as a halo where alpha is dropped or blended wrongly.
fn rgba_png(picture: &Picture) -> Result<Vec<u8>, EncodeError> {
    let (width, height) = (picture.width as f32, picture.height as f32);
    let corner = width.min(height) * 0.3;
    let rgba = RgbaImage::from_fn(picture.width, picture.height, |x, y| {
        let beyond = |v: u32, length: f32| ((v as f32 + 0.5 - length / 2.0).abs() - length / 2.0 + corner).max(0.0);
        let alpha = (corner - beyond(x, width).hypot(beyond(y, height))).clamp(0.0, 1.0);
        let at = (y * picture.width + x) as usize * 3;
        let [r, g, b] = [0, 1, 2].map(|i| if alpha > 0.0 { picture.rgb[at + i] } else { 0 });
        image::Rgba([r, g, b, (alpha * 255.0) as u8])
    });
    let mut out = Vec::new();
    PngEncoder::new(&mut out).write_image(&rgba, picture.width, picture.height, ExtendedColorType::Rgba8)?;
    Ok(out)
}

/// The 216 colours of the old web, dithered with a 4 × 4 Bayer matrix.
fn palette_png(picture: &Picture) -> Result<Vec<u8>, EncodeError> {
    const BAYER: [[u32; 4]; 4] = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]];
    let step = |i: usize| (i * 51) as u8;
    let palette: Vec<u8> = (0..216).flat_map(|i| [step(i / 36), step(i / 6 % 6), step(i % 6)]).collect();
    let indices = picture.rgb.as_chunks::<3>().0.iter().enumerate().map(|(i, rgb)| {
        let (x, y) = (i % picture.width as usize, i / picture.width as usize);
        let level = |c: u8| ((u32::from(c) * 16 + BAYER[y % 4][x % 4] * 51) / (16 * 51)).min(5);
        rgb.iter().fold(0, |index, c| index * 6 + level(*c) as u8)
    });
    let (indices, mut out) = (indices.collect::<Vec<u8>>(), Vec::new());
    let mut encoder = png::Encoder::new(&mut out, picture.width, picture.height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_palette(palette);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&indices)?;
    writer.finish()?;
    Ok(out)
}
