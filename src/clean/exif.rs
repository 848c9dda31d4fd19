//! The one EXIF tag that changes pixels: orientation.

/// The orientation, 1 to 8, in a TIFF-structured EXIF block; 1 if it is absent, invalid, or the block is nonsense: damaged
/// metadata is no reason to refuse an image.
pub fn orientation(tiff: &[u8]) -> u8 {
    let mut reader = exif::Reader::new();
    reader.continue_on_error(true);
    let parsed = match reader.read_raw(tiff.to_vec()) {
        Ok(parsed) => parsed,
        Err(exif::Error::PartialResult(partial)) => partial.into_inner().0,
        Err(_) => return 1,
    };
    let value = parsed.get_field(exif::Tag::Orientation, exif::In::PRIMARY).and_then(|field| field.value.get_uint(0));
    value.and_then(|v| u8::try_from(v).ok()).filter(|v| (1..=8).contains(v)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(value: u16) -> Vec<u8> {
        let mut tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        tiff.extend_from_slice(&value.to_le_bytes());
        tiff.extend_from_slice(&[0; 6]);
        tiff
    }

    #[test]
    fn valid_values_are_read_and_others_are_upright() {
        for value in 1..=8 {
            assert_eq!(orientation(&block(value)), value as u8);
        }
        for value in [0, 9, 600] {
            assert_eq!(orientation(&block(value)), 1);
        }
        assert_eq!(orientation(b""), 1);
        assert_eq!(orientation(b"MM nonsense"), 1);
    }
}
