//! What lies where an image should be: error pages, pointers, documents, a bomb.

use crate::sample::Sha256;

/// A GIF of one empty frame that claims 4.3 gigapixels.
pub(super) fn bomb() -> Vec<u8> {
    let screen = b"GIF89a\xFF\xFF\xFF\xFF\x80\0\0\0\0\0\xFF\xFF\xFF";
    let control = b"\x21\xF9\x04\0\0\0\0\0";
    let frame = b"\x2C\0\0\0\0\xFF\xFF\xFF\xFF\0\x02\x02\x44\x01\0\x3B";
    [&screen[..], control, frame].concat()
}

pub(super) fn html_page(class: &str, number: u64) -> String {
    format!(
        "<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head>\n<body><h1>Not Found</h1>\n\
         <p>The requested URL /images/{class}/{number}.jpg was not found on this server.</p></body></html>\n"
    )
}

pub(super) fn s3_error(class: &str, number: u64) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message>\
         <Key>{class}/{number}.jpg</Key><RequestId>656C76696E672773</RequestId></Error>\n"
    )
}

pub(super) fn lfs_pointer(content: &[u8]) -> String {
    let (oid, size) = (Sha256::of(content), content.len());
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n")
}

/// One blank page; its cross-reference table is left to the reader to rebuild, as many generators do.
pub(super) fn pdf(class: &str) -> String {
    format!(
        "%PDF-1.4\n% {class}\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
         3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 96 96]>>endobj\ntrailer<</Size 4/Root 1 0 R>>\n%%EOF\n"
    )
}

pub(super) fn svg(class: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 96 96\">\n  <title>{class}</title>\n  \
         <path d=\"M48 12 84 72H12Z\" fill=\"#2a9d8f\"/>\n</svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use image::ImageDecoder;

    use super::*;

    #[test]
    fn the_bomb_is_small_and_claims_gigapixels() {
        let bytes = bomb();
        let decoder = image::codecs::gif::GifDecoder::new(std::io::Cursor::new(&bytes)).unwrap();
        assert_eq!((bytes.len(), decoder.dimensions()), (43, (65535, 65535)));
    }
}
