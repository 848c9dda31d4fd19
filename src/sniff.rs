//! The real format of bytes, from their content alone, and the format that a name claims.
//!
//! # Why
//! A tenth and more of a scraped folder lies about its format: WebP named `.jpg`, an HTML error page named `.png`. So a
//! name never decides how bytes are decoded; it is compared with what [`sniff`] found, and a difference is recorded.
//! Signatures of two letters (`BM`, `P6`) also begin ordinary text, so these formats must show a sane header too.
//! A damaged image keeps its format as long as its signature is whole: "a corrupt PNG" helps more than "unknown".

use std::borrow::Cow;

use crate::sample::Format;

/// Bytes from the start of a file that [`sniff`] looks at: of a longer file it needs, and uses, no more.
pub const HEAD: usize = 4096;

/// The format of `bytes`: a whole file or at least its first [`HEAD`] bytes. [`Format::Tga`] has no signature and is
/// never returned.
pub fn sniff(bytes: &[u8]) -> Format {
    let head = &bytes[..bytes.len().min(HEAD)];
    match head {
        [] => Format::Empty,
        // Two bytes alone are a JPEG cut after its first marker; with anything but a marker behind them they are noise.
        [0xff, 0xd8] | [0xff, 0xd8, 0xff, ..] => Format::Jpeg,
        // Not the whole signature: its line ends are there to show damage, and a damaged PNG is still a PNG.
        [0x89, b'P', b'N', b'G', ..] => Format::Png,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Format::Webp,
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Format::Gif,
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Format::Tiff,
        [b'I', b'I', 43, 0, 8, 0, 0, 0, ..] | [b'M', b'M', 0, 43, 0, 8, 0, 0, ..] => Format::Tiff,
        [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', 0x0d, 0x0a, 0x87, 0x0a, ..] => Format::Jxl,
        [0xff, 0x4f, 0xff, 0x51, ..] => Format::Jp2,
        [0, 0, 0, 12, b'j', b'P', b' ' | 0x1a, b' ' | 0x1a, 0x0d, 0x0a, 0x87, 0x0a, ..] => Format::Jp2,
        [b'8', b'B', b'P', b'S', 0, 1 | 2, ..] => Format::Psd,
        [b'q', b'o', b'i', b'f', rest @ ..] if is_qoi(rest) => Format::Qoi,
        [b'B', b'M', ..] if is_bmp(head) => Format::Bmp,
        [0, 0, 1 | 2, 0, ..] if is_icon(head) => Format::Ico,
        [b'P', b'1'..=b'7', ..] if is_netpbm(head) => Format::Pnm,
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => heif(head),
        _ => text(head),
    }
}

/// The format that the extension of `key` claims; `None` without an extension or with one that no image format uses.
pub fn claimed(key: &str) -> Option<Format> {
    let name = key.rsplit('/').next()?;
    let (stem, extension) = name.rsplit_once('.')?;
    if stem.is_empty() {
        return None;
    }
    Some(match extension.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" | "jpe" | "jfif" | "jif" | "jfi" | "pjpeg" | "pjp" => Format::Jpeg,
        "webp" => Format::Webp,
        "png" | "apng" => Format::Png,
        "gif" => Format::Gif,
        "bmp" | "dib" => Format::Bmp,
        "tif" | "tiff" => Format::Tiff,
        "avif" | "avifs" => Format::Avif,
        "heic" | "heif" | "hif" | "heics" | "heifs" => Format::Heic,
        "jxl" => Format::Jxl,
        "ico" | "cur" => Format::Ico,
        "pbm" | "pgm" | "ppm" | "pnm" | "pam" => Format::Pnm,
        "qoi" => Format::Qoi,
        "jp2" | "j2k" | "jpx" | "jpf" | "jpm" | "j2c" | "jpc" => Format::Jp2,
        "psd" | "psb" => Format::Psd,
        "tga" => Format::Tga,
        "svg" | "svgz" => Format::Svg,
        _ => return None,
    })
}

/// The extension, without a dot, of a file that tells the truth about its format; empty where a content has none.
pub const fn extension(format: Format) -> &'static str {
    match format {
        Format::Jpeg => "jpg",
        Format::Webp => "webp",
        Format::Png => "png",
        Format::Gif => "gif",
        Format::Bmp => "bmp",
        Format::Tiff => "tiff",
        Format::Avif => "avif",
        Format::Heic => "heic",
        Format::Jxl => "jxl",
        Format::Ico => "ico",
        Format::Pnm => "pnm",
        Format::Qoi => "qoi",
        Format::Jp2 => "jp2",
        Format::Psd => "psd",
        Format::Tga => "tga",
        Format::Svg => "svg",
        Format::Pdf => "pdf",
        Format::Html => "html",
        Format::Xml => "xml",
        Format::LfsPointer | Format::Empty | Format::Unknown => "",
    }
}

fn u16_le(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|b| u16::from_le_bytes(*b))
}

fn u32_le(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|b| u32::from_le_bytes(*b))
}

fn u32_be(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|b| u32::from_be_bytes(*b))
}

/// Whether the bytes behind `qoif` are a header: width, height, then channels and colour space, both small numbers.
fn is_qoi(rest: &[u8]) -> bool {
    matches!(rest.get(8..10), Some([0..=4, 0..=1]))
}

/// Whether a known DIB header follows the 14 bytes of a bitmap's file header (OS/2 1 and 2, Windows 3 to 5).
fn is_bmp(head: &[u8]) -> bool {
    matches!(u32_le(head, 14), Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
}

/// Whether an icon's or cursor's directory has entries, all of which point behind it.
fn is_icon(head: &[u8]) -> bool {
    let Some(count @ 1..) = u16_le(head, 4) else { return false };
    let cursor = head[2] == 2;
    let mut entries = head[6..].chunks_exact(16).take(count as usize).peekable();
    entries.peek().is_some()
        && entries.all(|entry| {
            let (planes, bits) = (u16_le(entry, 4), u16_le(entry, 6));
            let hotspot_or_depth =
                cursor || matches!((planes, bits), (Some(0 | 1), Some(0 | 1 | 4 | 8 | 16 | 24 | 32)));
            let behind = u32_le(entry, 12).is_some_and(|offset| offset as u64 >= 6 + 16 * count as u64);
            hotspot_or_depth && behind && u32_le(entry, 8) != Some(0)
        })
}

/// Whether a Netpbm header goes on as one: two numbers (P1 to P6) or a keyword (P7), after white space and comments.
fn is_netpbm(head: &[u8]) -> bool {
    let mut rest = &head[2..];
    if !rest.first().is_some_and(|&c| c.is_ascii_whitespace() || c == b'#') {
        return false;
    }
    let mut numbers = 0;
    while numbers < 2 {
        rest = rest.trim_ascii_start();
        match rest {
            // The file, or what is seen of it, ends here: the signature is all there is to go by.
            [] => return true,
            [b'#', ..] => rest = rest.iter().position(|&c| c == b'\n').map_or(&[], |end| &rest[end..]),
            _ if head[1] == b'7' => {
                return [&b"WIDTH"[..], b"HEIGHT", b"DEPTH", b"MAXVAL", b"TUPLTYPE", b"ENDHDR"]
                    .iter()
                    .any(|keyword| rest.starts_with(keyword));
            }
            _ => {
                let digits = rest.iter().take_while(|c| c.is_ascii_digit()).count();
                rest = &rest[digits..];
                if digits == 0 || rest.first().is_some_and(|&c| !c.is_ascii_whitespace() && c != b'#') {
                    return false;
                }
                numbers += 1;
            }
        }
    }
    true
}

/// AVIF or HEIF by the brands of an ISO base media file's `ftyp` box (ISO/IEC 14496-12, 23008-12): the major brand
/// decides, and where it only says "some HEIF image" the compatible brands do.
fn heif(head: &[u8]) -> Format {
    let end = match u32_be(head, 0) {
        // 0: the box goes on to the end of the file.
        Some(size @ 16..) => (size as usize).min(head.len()),
        Some(0) => head.len(),
        _ => return Format::Unknown,
    };
    let brand = |brand: &[u8]| match brand {
        b"avif" | b"avis" => Some(Format::Avif),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"hevm" | b"hevs" => Some(Format::Heic),
        _ => None,
    };
    let Some(major) = head.get(8..12) else { return Format::Unknown };
    if let Some(format) = brand(major) {
        return format;
    }
    let compatible = || head[..end].get(16..).unwrap_or_default().chunks_exact(4).filter_map(brand);
    let still = matches!(major, b"mif1" | b"mif2" | b"msf1" | b"miaf");
    compatible().find(|&format| format == Format::Avif).or_else(|| compatible().next()).unwrap_or(if still {
        Format::Heic
    } else {
        Format::Unknown
    })
}

/// Formats that are text: PDF, git-lfs pointers, SVG, HTML and XML.
fn text(head: &[u8]) -> Format {
    let text = ascii(head);
    let text = text.trim_ascii_start();
    if text.starts_with(b"%pdf-") {
        return Format::Pdf;
    }
    // The second spelling is the one that git-lfs wrote before its first release.
    for version in [&b"version https://git-lfs.github.com/spec/v1"[..], b"version https://hawser.github.com/spec/v1"] {
        if let Some([] | [b'\r' | b'\n', ..]) = text.strip_prefix(version) {
            return Format::LfsPointer;
        }
    }
    markup(text)
}

/// `head` as lower-case ASCII without its byte order mark, UTF-16 made narrow; other characters become `?`.
fn ascii(head: &[u8]) -> Cow<'_, [u8]> {
    let narrow = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        Cow::Owned(units.map(|c| if c < 128 { (c as u8).to_ascii_lowercase() } else { b'?' }).collect())
    };
    match head {
        [0xff, 0xfe, rest @ ..] => narrow(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => narrow(rest, u16::from_be_bytes),
        [b'<', 0, ..] => narrow(head, u16::from_le_bytes),
        [0, b'<', ..] => narrow(head, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => Cow::Owned(rest.to_ascii_lowercase()),
        _ => Cow::Owned(head.to_ascii_lowercase()),
    }
}

/// The part of `text` behind the first `end`; nothing if there is none.
fn behind<'a>(text: &'a [u8], end: &[u8]) -> &'a [u8] {
    text.windows(end.len()).position(|window| window == end).map_or(&[], |at| &text[at + end.len()..])
}

/// SVG, HTML or XML by the document type or the first element, behind declarations and comments. `text` is lower case.
fn markup(mut text: &[u8]) -> Format {
    let mut declared = false;
    let unnamed = |declared| if declared { Format::Xml } else { Format::Unknown };
    loop {
        text = text.trim_ascii_start();
        if text.starts_with(b"<?xml") {
            declared = true;
            text = behind(text, b"?>");
        } else if text.starts_with(b"<!--") {
            text = behind(text, b"-->");
        } else if let Some(doctype) = text.strip_prefix(b"<!doctype") {
            match local_name(doctype.trim_ascii_start()) {
                b"html" => return Format::Html,
                b"svg" => return Format::Svg,
                _ => declared = true,
            }
            text = behind_doctype(doctype);
        } else {
            break;
        }
    }
    let Some(element) = text.strip_prefix(b"<") else { return unnamed(declared) };
    match local_name(element) {
        b"svg" => Format::Svg,
        b"html" | b"head" | b"body" => Format::Html,
        // The other elements by which browsers recognise a page (https://mimesniff.spec.whatwg.org), when nothing
        // declares XML.
        b"script" | b"iframe" | b"h1" | b"div" | b"font" | b"table" | b"a" | b"style" | b"title" | b"b" | b"br"
        | b"p" | b"meta" | b"link" | b"center"
            if !declared =>
        {
            Format::Html
        }
        b"" => unnamed(declared),
        // An object store's error page may come without a declaration.
        b"error" => Format::Xml,
        _ => {
            let tag = &element[..element.iter().position(|&c| c == b'>').unwrap_or(element.len())];
            unnamed(declared || tag.windows(6).any(|window| window == b" xmlns"))
        }
    }
}

/// The part of a document type behind its closing `>`, which an internal subset in `[…]` may contain too.
fn behind_doctype(doctype: &[u8]) -> &[u8] {
    let close = doctype.iter().position(|&c| c == b'>');
    match doctype.iter().position(|&c| c == b'[') {
        Some(open) if close.is_none_or(|close| open < close) => behind(behind(&doctype[open..], b"]"), b">"),
        _ => behind(doctype, b">"),
    }
}

/// The name at the start of `text`, without a namespace prefix; empty if there is none or another character follows.
fn local_name(text: &[u8]) -> &[u8] {
    let is_name = |&c: &u8| c.is_ascii_alphanumeric() || matches!(c, b':' | b'_' | b'-' | b'.');
    let end = text.iter().position(|c| !is_name(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let ends = matches!(rest.first(), None | Some(b'>' | b'/' | b'[')) || rest[0].is_ascii_whitespace();
    match name.first() {
        Some(first) if ends && !first.is_ascii_digit() => name.rsplit(|&c| c == b':').next().unwrap_or_default(),
        _ => b"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    fn bmp(dib: u8) -> Vec<u8> {
        [b"BM".as_slice(), &[0; 12], &[dib, 0, 0, 0], &[0; 8]].concat()
    }

    fn icon(kind: u8, count: u8, offset: u8) -> Vec<u8> {
        let mut bytes = vec![0, 0, kind, 0, count, 0];
        for _ in 0..count {
            bytes.extend([16, 16, 0, 0, 1, 0, 32, 0, 99, 0, 0, 0, offset, 0, 0, 0]);
        }
        bytes
    }

    fn ftyp(brands: &str) -> Vec<u8> {
        let (major, compatible) = brands.split_at(4);
        let size = (16 + compatible.len() as u32).to_be_bytes();
        [&size, b"ftyp".as_slice(), major.as_bytes(), &[0; 4], compatible.as_bytes()].concat()
    }

    #[track_caller]
    fn all(format: Format, files: &[&[u8]]) {
        for file in files {
            assert_eq!(sniff(file), format, "{}", file.escape_ascii());
            let padded: Vec<u8> = file.iter().copied().chain(vec![b' '; 2 * HEAD]).collect();
            assert_eq!(sniff(&padded), sniff(&padded[..HEAD]), "{} looks further than HEAD", file.escape_ascii());
        }
    }

    #[test]
    fn every_format_is_recognised_from_its_first_bytes() {
        all(Format::Jpeg, &[b"\xff\xd8\xff\xe0\0\x10JFIF\0", b"\xff\xd8\xff\xdb", b"\xff\xd8\xff", b"\xff\xd8"]);
        all(Format::Webp, &[b"RIFF\x24\0\0\0WEBPVP8 ", b"RIFF\0\0\0\0WEBP"]);
        all(Format::Png, &[b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\x89PNG\r\r\x1a\r", b"\x89PNG"]);
        all(Format::Gif, &[b"GIF87a\x01\0", b"GIF89a\x01\0\x01\0"]);
        all(Format::Bmp, &[&bmp(12), &bmp(40), &bmp(64), &bmp(108), &bmp(124)]);
        all(Format::Tiff, &[b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0"]);
        all(Format::Avif, &[&ftyp("avif"), &ftyp("avis"), &ftyp("mif1miafavif"), &ftyp("mif1heicavif")]);
        all(
            Format::Heic,
            &[&ftyp("heic"), &ftyp("heix"), &ftyp("hevc"), &ftyp("mif1heic"), &ftyp("mif1"), &ftyp("msf1")],
        );
        all(Format::Jxl, &[b"\xff\x0a\xfa\x1f", b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftyp"]);
        all(Format::Ico, &[&icon(1, 1, 22), &icon(1, 3, 54), &icon(2, 1, 22)]);
        all(
            Format::Pnm,
            &[
                b"P1\n2 2\n",
                b"P4 8 8\n",
                b"P5\n#made by hand\n3 3 255 ",
                b"P6#x\n1 1 255\n",
                b"P4 8#x\n8\n",
                b"P7\nWIDTH 1\n",
                b"P5\n",
            ],
        );
        all(Format::Qoi, &[b"qoif\0\0\0\x01\0\0\0\x01\x03\0", b"qoif\0\0\0\x01\0\0\0\x01\x04\x01"]);
        all(Format::Jp2, &[b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ", b"\xff\x4f\xff\x51\0\x29"]);
        all(Format::Psd, &[b"8BPS\0\x01\0\0", b"8BPS\0\x02\0\0"]);
        all(Format::Pdf, &[b"%PDF-1.7\n", b"\n%PDF-1.4", b"\xef\xbb\xbf%PDF-2.0"]);
        all(
            Format::LfsPointer,
            &[
                b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
                b"version https://git-lfs.github.com/spec/v1\r\noid sha256:00\r\n",
                b"version https://git-lfs.github.com/spec/v1",
            ],
        );
        all(Format::Unknown, &[b"\0", b"hello", b"\0\x05\x16\x07\0\x02\0\0Mac OS X", &[0xff; 64], &[0; 64]]);
        assert_eq!(sniff(b""), Format::Empty);
    }

    #[test]
    fn svg_is_found_behind_declarations_comments_and_byte_order_marks() {
        let svg = "<?xml version=\"1.0\"?>\n<!-- <html> -->\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
        let subset = "<!DOCTYPE foo [ <!ENTITY a \"<html>\"> ]><svg:svg >";
        let doctype = "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"x\"><svg>";
        let (le, be) = (utf16(svg, u16::to_le_bytes), utf16(svg, u16::to_be_bytes));
        all(
            Format::Svg,
            &[
                svg.as_bytes(),
                subset.as_bytes(),
                doctype.as_bytes(),
                b"<svg>",
                b"  <svg\nwidth='1'>",
                b"\xef\xbb\xbf<svg/>",
                &[b"\xff\xfe".as_slice(), &le].concat(),
                &[b"\xfe\xff".as_slice(), &be].concat(),
                &le,
                &be,
            ],
        );
    }

    #[test]
    fn pages_and_documents_saved_as_images_are_named() {
        all(
            Format::Html,
            &[
                b"<!DOCTYPE html>\n<html>",
                b"<!doctype HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\">",
                b"\r\n\r\n<HTML lang=en>",
                b"<head><title>404",
                b"<body>",
                b"<!-- cached --><html>",
                b"\xef\xbb\xbf<!DOCTYPE html>",
                b"<?xml version='1.0'?><!DOCTYPE html PUBLIC 'x' 'y'><html xmlns='z'>",
                b"<?xml version='1.0'?><html>",
                b"<h1>502 Bad Gateway</h1>",
                b"<html><body><svg></svg>",
            ],
        );
        all(
            Format::Xml,
            &[
                b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code></Error>",
                b"<Error><Code>AccessDenied</Code></Error>",
                b"\xef\xbb\xbf<?xml version=\"1.0\"?><Error>",
                b"<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
                b"<?xml version='1.0'?><!-- never closed",
                b"<?xml version='1.0'?><p>",
                b"<!DOCTYPE note SYSTEM 'Note.dtd'>",
            ],
        );
    }

    #[test]
    fn near_misses_are_not_images() {
        all(
            Format::Unknown,
            &[
                b"BMW drivers are plausible people, says a text of some length",
                b"BM",
                b"BM\0\0\0\0\0\0\0\0\0\0\0\0",
                &bmp(41),
                b"P5.js is a library",
                b"P1 is the first chapter",
                b"P2 1 is the first chapter of the second part",
                b"P3 1st 2nd",
                b"P6 #1\n640 x 480",
                b"P7 332\n",
                b"P8\n1 1\n",
                b"P6",
                b"qoif is a format, as this says",
                b"qoif",
                b"RIFF\x24\0\0\0WAVEfmt ",
                b"RIFF\x24\0\0\0",
                b"GIF88a",
                b"GIF8",
                b"\xff",
                b"\xff\xd8\0",
                b"\xff\xd9\xff",
                b"II*",
                b"II\x2b\0\x04\0\0\0",
                b"8BPS\0\x03",
                &icon(1, 0, 22),
                &icon(1, 1, 6),
                &icon(3, 1, 22),
                b"\0\0\x01\0\x01\0",
                b"\0\0\x01\xba\x44\0\x04",
                b"\0\x01\0\0\0\x0c\0\x80",
                b"\0\0\x02\0\0\0\0\0\0\0\0\0\x10\0\x10\0\x18\0 a TGA, by chance",
                &ftyp("isomiso2avc1mp41"),
                &ftyp("M4A "),
                b"\0\0\0\x08ftypavif",
                b"\0\0\0\x18ftyp",
                b"<svgfoo>",
                b"<htmlx>",
                b"<!-- never closed <svg>",
                b"<3 you",
                b"< svg>",
                b"<note>buy milk</note>",
                b"<?php echo 1 ?>",
                b"an <svg> inside text",
                b"version https://git-lfs.github.com/spec/v10",
                b"version https://git-lfs.github.com/spec/v1 is a line",
                b"%PD",
            ],
        );
    }

    #[test]
    fn brands_beyond_the_ftyp_box_do_not_count() {
        let file = [ftyp("isommp42"), b"avifavif".to_vec()].concat();
        assert_eq!(sniff(&file), Format::Unknown);
    }

    #[test]
    fn no_input_makes_it_panic() {
        for prefix in
            ["<!doctype", "<!doctype x [", "<?xml", "<", "P7#", "P6 ", "BM", "\0\0\x01\0\u{1}\0", "\0\0\0\0ftyp"]
        {
            for fill in [0, b' ', b'[', b'<', b'>', b'#', 0xff] {
                for len in 0..40 {
                    sniff(&[prefix.as_bytes(), &vec![fill; len]].concat());
                }
            }
        }
    }

    #[test]
    fn an_extension_claims_a_format_whatever_its_case() {
        for (key, format) in [
            ("a/b.JPG", Format::Jpeg),
            ("a.b/c.jfif", Format::Jpeg),
            ("x.tar.Png", Format::Png),
            ("x.apng", Format::Png),
            ("x.dib", Format::Bmp),
            ("x.tif", Format::Tiff),
            ("x.HEIF", Format::Heic),
            ("x.cur", Format::Ico),
            ("x.pam", Format::Pnm),
            ("x.j2k", Format::Jp2),
            ("x.tga", Format::Tga),
        ] {
            assert_eq!(claimed(key), Some(format), "{key}");
        }
        for key in
            ["", "a", "a.jpg/b", ".jpg", "a/.png", "a.", "labels.csv", "a.jpg.txt", "a.jpg ", ".DS_Store", "x.pdf"]
        {
            assert_eq!(claimed(key), None, "{key}");
        }
    }

    #[test]
    fn a_canonical_extension_claims_its_own_format() {
        for &format in Format::ALL {
            let claim = claimed(&format!("x.{}", extension(format)));
            assert_eq!(claim, format.is_image().then_some(format), "{format}");
        }
    }

    /// The rows of a truth file as (path, column), skipped where the folder is absent.
    fn truth(name: &str, columns: &[&str]) -> Vec<Vec<String>> {
        let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
        let file = data.join(name);
        if !file.exists() {
            eprintln!("skipped: no {}", file.display());
            return Vec::new();
        }
        let fields = |line: &str| {
            let (mut fields, mut quoted) = (vec![String::new()], false);
            for c in line.chars() {
                match c {
                    '"' => quoted = !quoted,
                    ',' if !quoted => fields.push(String::new()),
                    c => fields.last_mut().unwrap().push(c),
                }
            }
            fields
        };
        let text = std::fs::read_to_string(file).unwrap();
        let mut lines = text.lines();
        let header = fields(lines.next().unwrap());
        let wanted: Vec<_> = columns.iter().map(|c| header.iter().position(|h| h == c).unwrap()).collect();
        lines.map(fields).map(|row| wanted.iter().map(|&i| row[i].clone()).collect()).collect()
    }

    fn read(folder: &str, path: &str) -> Vec<u8> {
        let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
        std::fs::read(data.join(folder).join(path)).unwrap()
    }

    #[test]
    fn every_file_of_the_dirty_folder_is_what_its_truth_says() {
        for row in truth("dirty.truth.csv", &["path", "real_format", "dirt"]) {
            let wanted = match (row[1].as_str(), row[2].as_str()) {
                ("", "html_page") => Format::Html,
                ("", "s3_error_xml") => Format::Xml,
                ("", "lfs_pointer") => Format::LfsPointer,
                ("", "zero_byte") => Format::Empty,
                (format, _) => format.to_lowercase().parse().unwrap(),
            };
            assert_eq!(sniff(&read("dirty", &row[0])), wanted, "{}", row[0]);
        }
    }

    #[test]
    fn odd_files_have_the_format_that_pillow_finds() {
        for row in truth("odd.truth.csv", &["path", "pil_format"]) {
            let wanted = match row[1].as_str() {
                "" => continue,
                // No signature: Pillow goes by the header's plausibility.
                "TGA" => Format::Unknown,
                format => format.to_lowercase().parse().unwrap(),
            };
            assert_eq!(sniff(&read("odd", &row[0])), wanted, "{}", row[0]);
        }
    }
}
