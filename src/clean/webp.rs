//! WebP through libwebp, which is twice as fast as the Rust decoder.
//!
//! libwebp's simple decoder is strict about its bitstream but refuses animations, so the RIFF container is read here:
//! it says whether the file is whole, holds the metadata, and gives an animation's first frame, which is wrapped as a
//! still image of its own for the same decoder. (The animation decoder of the `webp` crate decodes every frame, and
//! never returns when one of them is damaged.)

use webp::{BitstreamFeatures, Decoder};

use super::limits::Limits;
use super::raster::{Raster, Rejected, admit, exif_orientation};
use crate::sample::Change;

/// "RIFF", its size, "WEBP".
const HEADER: usize = 12;
const ANIMATION_FLAG: u8 = 0x02;
const ALPHA_FLAG: u8 = 0x10;

/// A RIFF chunk: four-character code and payload.
type Chunk<'a> = (&'a [u8], &'a [u8]);

/// Decodes a WebP file, an animation's first frame on its canvas.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, Rejected> {
    let (file, rest) = riff(bytes)?;
    let chunks = chunks(&file[HEADER..])?;
    let find = |name: &[u8; 4]| chunks.iter().find(|(code, _)| code == name).map(|(_, payload)| *payload);
    let features = BitstreamFeatures::new(file).ok_or_else(|| Rejected::corrupt("the WebP header is damaged"))?;
    let (width, height) = (features.width(), features.height());
    admit(width, height, limits)?;

    let flags = find(b"VP8X").and_then(|header| header.first().copied()).unwrap_or(0);
    let mut raster = if flags & ANIMATION_FLAG != 0 {
        let frame = find(b"ANMF").ok_or_else(|| Rejected::corrupt("an animation without frames"))?;
        let mut raster = first_frame(frame, width, height, flags & ALPHA_FLAG != 0)?;
        raster.set_frames(chunks.iter().filter(|(code, _)| code == b"ANMF").count() as u32);
        // An animation of one frame is one too: libwebp's still decoder, a plain decode, refuses it.
        raster.changes.push(Change::FirstFrame);
        raster
    } else {
        let (channels, samples) = still(file, width, height)?;
        Raster::still(width, height, channels, samples, if channels == 4 { "RGBA" } else { "RGB" })
    };
    raster.orientation = find(b"EXIF").map_or(1, exif_orientation);
    raster.set_icc(find(b"ICCP").map(<[u8]>::to_vec));
    raster.note_trailing(rest);
    Ok(raster)
}

/// The RIFF file at the start of `bytes`, and how many bytes follow it.
fn riff(bytes: &[u8]) -> Result<(&[u8], usize), Rejected> {
    if bytes.len() < HEADER {
        return Err(Rejected::truncated(format!("{} bytes are no WebP file", bytes.len())));
    }
    if &bytes[..4] != b"RIFF" || &bytes[8..12] != b"WEBP" {
        return Err(Rejected::corrupt("the RIFF header is damaged"));
    }
    let end = 8 + u32_at(bytes, 4) as usize;
    if end < HEADER {
        return Err(Rejected::corrupt("the RIFF header is damaged"));
    }
    let file =
        bytes.get(..end).ok_or_else(|| Rejected::truncated(format!("{} of {end} bytes are there", bytes.len())))?;
    Ok((file, bytes.len() - file.len()))
}

/// The chunks of `body`, in order.
fn chunks(mut body: &[u8]) -> Result<Vec<Chunk<'_>>, Rejected> {
    let mut chunks = Vec::new();
    while body.len() >= 8 {
        let (header, rest) = body.split_at(8);
        let size = u32_at(header, 4) as usize;
        let payload = rest.get(..size).ok_or_else(|| Rejected::corrupt("a chunk is longer than its file"))?;
        chunks.push((&header[..4], payload));
        // The pad byte behind the last chunk may be missing.
        body = rest.get(size + size % 2..).unwrap_or(&[]);
    }
    Ok(chunks)
}

/// The interleaved samples of a still image of `width` × `height` pixels, and how many channels they have: 3 or 4.
fn still(file: &[u8], width: u32, height: u32) -> Result<(usize, Vec<u8>), Rejected> {
    let damaged = || Rejected::corrupt("the WebP bitstream is damaged");
    // Before decoding: what was held against the limits is the canvas, and a frame's bitstream may claim any size.
    let features = BitstreamFeatures::new(file).ok_or_else(damaged)?;
    if (features.width(), features.height()) != (width, height) {
        return Err(Rejected::corrupt("the WebP bitstream has another size than its header"));
    }
    let image = Decoder::new(file).decode().ok_or_else(damaged)?;
    Ok((if image.is_alpha() { 4 } else { 3 }, image.to_vec()))
}

/// An `ANMF` chunk's frame on a canvas of `width` × `height` transparent pixels.
fn first_frame(frame: &[u8], width: u32, height: u32, alpha: bool) -> Result<Raster, Rejected> {
    if frame.len() < 16 {
        return Err(Rejected::corrupt("a frame without a header"));
    }
    let (x, y) = (2 * u24_at(frame, 0), 2 * u24_at(frame, 3));
    let (w, h) = (1 + u24_at(frame, 6), 1 + u24_at(frame, 9));
    if x + w > width || y + h > height {
        return Err(Rejected::corrupt("the first frame is outside of the canvas"));
    }
    let (channels, samples) = still(&as_file(&chunks(&frame[16..])?, w, h), w, h)?;
    let covers = (w, h) == (width, height);
    let mut raster = Raster::still(w, h, channels, samples, if alpha || !covers { "RGBA" } else { "RGB" });
    if alpha || !covers {
        raster.changes.push(Change::Alpha);
    }
    if !covers {
        raster.pixels = on_canvas(&raster, x, y, width, height);
        (raster.width, raster.height) = (width, height);
    }
    Ok(raster)
}

/// The pixels of `frame` at (`x`, `y`) of a white canvas, on which it fits.
fn on_canvas(frame: &Raster, x: u32, y: u32, width: u32, height: u32) -> Vec<u8> {
    let channels = usize::from(frame.channels);
    let (stride, line) = (width as usize * channels, frame.width as usize * channels);
    let mut canvas = vec![255; stride * height as usize];
    for (row, pixels) in frame.pixels.chunks_exact(line).enumerate() {
        let at = (y as usize + row) * stride + x as usize * channels;
        canvas[at..at + line].copy_from_slice(pixels);
    }
    canvas
}

/// A still WebP file of `width` × `height` pixels made of a frame's chunks.
fn as_file(chunks: &[Chunk<'_>], width: u32, height: u32) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
    if chunks.iter().any(|(code, _)| code == b"ALPH") {
        let mut header = [ALPHA_FLAG, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        header[4..7].copy_from_slice(&(width - 1).to_le_bytes()[..3]);
        header[7..10].copy_from_slice(&(height - 1).to_le_bytes()[..3]);
        push_chunk(&mut file, b"VP8X", &header);
    }
    for (code, payload) in chunks.iter().filter(|(code, _)| matches!(*code, b"ALPH" | b"VP8 " | b"VP8L")) {
        push_chunk(&mut file, code, payload);
    }
    let size = file.len() as u32 - 8;
    file[4..8].copy_from_slice(&size.to_le_bytes());
    file
}

/// Appends a chunk, padded to an even length.
pub(super) fn push_chunk(file: &mut Vec<u8>, code: &[u8], payload: &[u8]) {
    file.extend_from_slice(code);
    file.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    file.extend_from_slice(payload);
    if payload.len() % 2 == 1 {
        file.push(0);
    }
}

fn u24_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], 0])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::limits::PixelCount;
    use crate::sample::Reason;

    /// A lossless still WebP of `width` × `height` pixels of one RGBA color.
    fn plain(width: u32, height: u32, color: [u8; 4]) -> Vec<u8> {
        let pixels = color.repeat((width * height) as usize);
        webp::Encoder::from_rgba(&pixels, width, height).encode_lossless().to_vec()
    }

    /// An extended file of a `VP8X` header with these flags and size, and `chunks`.
    fn extended(flags: u8, width: u32, height: u32, chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
        let [w, h] = [width, height].map(|side| (side - 1).to_le_bytes());
        push_chunk(&mut file, b"VP8X", &[flags, 0, 0, 0, w[0], w[1], w[2], h[0], h[1], h[2]]);
        chunks.iter().for_each(|(code, payload)| push_chunk(&mut file, *code, payload));
        let size = file.len() as u32 - 8;
        file[4..8].copy_from_slice(&size.to_le_bytes());
        file
    }

    /// An `ANMF` payload: a still file's chunks at (`x`, `y`), both even.
    fn frame(x: u32, y: u32, width: u32, height: u32, still: &[u8]) -> Vec<u8> {
        let fields = [x / 2, y / 2, width - 1, height - 1, 100];
        let header = fields.iter().flat_map(|field| field.to_le_bytes()[..3].to_vec());
        header.chain([0]).chain(still[HEADER..].iter().copied()).collect()
    }

    #[test]
    fn a_still_image_keeps_its_pixels() {
        let raster = decode(&plain(5, 3, [10, 20, 30, 255]), &Limits::default()).expect("it decodes");
        assert_eq!((raster.width, raster.height, raster.channels, raster.mode), (5, 3, 3, "RGB"));
        assert_eq!((raster.pixels, raster.changes), ([10, 20, 30].repeat(15), vec![]));
    }

    #[test]
    fn the_first_frame_of_an_animation_is_shown_on_its_canvas() {
        let red = frame(2, 0, 1, 1, &plain(1, 1, [255, 0, 0, 255]));
        let damaged = vec![7; 40];
        let file = extended(ANIMATION_FLAG, 4, 1, &[(b"ANIM", vec![0; 6]), (b"ANMF", red), (b"ANMF", damaged)]);
        let raster = decode(&file, &Limits::default()).expect("it decodes");
        assert_eq!((raster.width, raster.height, raster.frames), (4, 1, 2));
        assert_eq!(raster.pixels, [[255, 255, 255], [255, 255, 255], [255, 0, 0], [255, 255, 255]].concat());
        assert!(raster.changes.contains(&Change::FirstFrame) && raster.changes.contains(&Change::Alpha));
    }

    #[test]
    fn a_frame_outside_of_the_canvas_is_corrupt() {
        let frame = frame(4, 0, 1, 1, &plain(1, 1, [255, 0, 0, 255]));
        let file = extended(ANIMATION_FLAG, 4, 1, &[(b"ANIM", vec![0; 6]), (b"ANMF", frame)]);
        assert_eq!(decode(&file, &Limits::default()).map_err(|e| e.reason), Err(Reason::Corrupt));
    }

    #[test]
    fn a_frame_that_claims_more_than_its_canvas_is_refused_by_its_own_header() {
        // VP8L: 16384 × 16384 pixels, 14 bits a side, less one. The data behind is damaged: nobody may look at it.
        let mut still = vec![0; HEADER];
        push_chunk(&mut still, b"VP8L", &[0x2F, 0xFF, 0xFF, 0xFF, 0x0F, 0, 0, 0, 0, 0]);
        let frame = frame(0, 0, 16, 16, &still);
        let file = extended(ANIMATION_FLAG, 16, 16, &[(b"ANIM", vec![0; 6]), (b"ANMF", frame)]);
        let rejected = decode(&file, &Limits::default()).expect_err("refused");
        assert_eq!(rejected.reason, Reason::Corrupt);
        assert_eq!(rejected.detail, "the WebP bitstream has another size than its header");
    }

    #[test]
    fn thirty_bytes_of_terapixels_are_refused_by_their_header() {
        let bomb = extended(ANIMATION_FLAG, 1 << 20, 4095, &[]);
        assert_eq!(bomb.len(), 30);
        assert_eq!(decode(&bomb, &Limits::default()).map_err(|e| e.reason), Err(Reason::TooManyPixels));
        let limits = Limits { pixels: PixelCount(14), ..Limits::default() };
        let error = decode(&plain(5, 3, [0; 4]), &limits).expect_err("too large");
        assert_eq!(error.reason, Reason::TooManyPixels);
    }

    #[test]
    fn every_cut_is_truncated_and_bytes_after_the_end_are_noted() {
        let mut bytes = plain(5, 3, [10, 20, 30, 99]);
        for end in 0..bytes.len() {
            let error = decode(&bytes[..end], &Limits::default()).expect_err("a cut file");
            assert_eq!(error.reason, Reason::Truncated, "{end} bytes: {error}");
        }
        bytes.extend_from_slice(b"trailing");
        let raster = decode(&bytes, &Limits::default()).expect("it decodes");
        assert_eq!(raster.note.as_deref(), Some("8 bytes after the end of the image"));
        assert_eq!(raster.changes, [Change::Alpha]);
    }

    #[test]
    fn orientation_and_profile_are_read_from_their_chunks() {
        let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x08\0\0\0\0\0\0\0".to_vec();
        let pixels = plain(2, 2, [1, 2, 3, 255]);
        let (_, vp8l) = chunks(&pixels[HEADER..]).expect("chunks")[0];
        let profile = [[0u8; 16].as_slice(), b"RGB ", b"profile"].concat();
        let all = [(b"ICCP", profile.clone()), (b"VP8L", vp8l.to_vec()), (b"EXIF", exif)];
        let raster = decode(&extended(0x28, 2, 2, &all), &Limits::default()).expect("it decodes");
        assert_eq!((raster.orientation, raster.icc), (8, Some(profile)));
    }
}
