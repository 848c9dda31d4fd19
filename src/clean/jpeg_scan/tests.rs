//! libjpeg-turbo is the judge: on what its encoder writes, on streams made up symbol by symbol, on both of these
//! damaged in every way, and on the photos of `shared/data` where they are at hand.

use std::path::{Path, PathBuf};

use turbojpeg::{Compressor, Decompressor, Image, PixelFormat, ScalingFactor, Subsamp};

use super::header::{COM, DHT, DQT, DRI, SOI, SOS};
use super::lookup::Code;
use super::*;

/// With a verifier that has seen nothing before.
fn verify(bytes: &[u8]) -> Result<Scan, Doubt> {
    Verifier::new().verify(bytes)
}

/// Splitmix64: the same tests every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// What libjpeg-turbo says: width, height and the gray image at 1/8, if it decodes this and the colours in full
/// without error or warning. A decompressor of its own, since one keeps the tables of earlier files.
fn judge(bytes: &[u8]) -> Result<(u32, u32, Vec<u8>), turbojpeg::Error> {
    let mut decompressor = Decompressor::new()?;
    let header = decompressor.read_header(bytes)?;
    let mut decode = |scale: ScalingFactor, format: PixelFormat| {
        decompressor.set_scaling_factor(scale)?;
        let (width, height) = (scale.scale(header.width), scale.scale(header.height));
        let pitch = width * format.size();
        let mut image = Image { pixels: vec![0; pitch * height], width, pitch, height, format };
        decompressor.decompress(bytes, image.as_deref_mut())?;
        Ok::<_, turbojpeg::Error>(image.pixels)
    };
    decode(ScalingFactor::ONE, PixelFormat::RGB)?;
    let thumb = decode(ScalingFactor::ONE_EIGHTH, PixelFormat::GRAY)?;
    Ok((header.width as u32, header.height as u32, thumb))
}

/// An `Ok` must be right; returns whether it was `Ok`.
fn holds(verifier: &mut Verifier, bytes: &[u8], what: &dyn Fn() -> String) -> bool {
    let Ok(scan) = verifier.verify(bytes) else { return false };
    match judge(bytes) {
        Ok((width, height, thumb)) => {
            assert_eq!((scan.width, scan.height), (width, height), "{}", what());
            assert!(scan.thumb == thumb, "another thumbnail: {}", what());
        }
        Err(error) => panic!("vouched for, but libjpeg-turbo says {error}: {}", what()),
    }
    true
}

const SUBSAMPLINGS: [Subsamp; 7] =
    [Subsamp::None, Subsamp::Sub2x1, Subsamp::Sub2x2, Subsamp::Gray, Subsamp::Sub1x2, Subsamp::Sub4x1, Subsamp::Sub1x4];

/// A picture with edges, smooth parts and noise, as libjpeg-turbo encodes it.
fn encoded(random: &mut Random, width: usize, height: usize, subsampling: Subsamp) -> Vec<u8> {
    let (noise, slope) = (random.pick(&[1, 8, 64, 255]), random.below(9));
    let mut pixels = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let edge = if x * 3 + y * 2 > width + height { 90 } else { 0 };
            for channel in 0..3 {
                pixels.push((edge + x * slope + y * channel + random.below(noise)) as u8);
            }
        }
    }
    let mut compressor = Compressor::new().unwrap();
    compressor.set_subsamp(subsampling).unwrap();
    compressor.set_quality(random.pick(&[1, 30, 75, 90, 95, 100])).unwrap();
    compressor.set_optimize(random.one_in(2)).unwrap();
    let image = Image { pixels: &pixels[..], width, pitch: width * 3, height, format: PixelFormat::RGB };
    compressor.compress_to_vec(image).unwrap()
}

/// A random prefix code for `symbols`, as DHT spells it: leaves of a random tree, the one of all ones unused.
fn huffman(random: &mut Random, symbols: &[u8]) -> Vec<u8> {
    let mut leaves = vec![0usize];
    let skewed = random.below(4);
    while leaves.len() <= symbols.len() {
        let last = leaves.len() - 1;
        let leaf = if random.below(4) < skewed { last } else { random.below(leaves.len()) };
        if leaves[leaf] < 16 {
            leaves[leaf] += 1;
            leaves.push(leaves[leaf]);
        }
    }
    leaves.sort_unstable();
    leaves.pop();
    let mut spec = vec![0; 16];
    leaves.iter().for_each(|&length| spec[length - 1] += 1);
    spec.extend_from_slice(symbols);
    spec
}

/// Writes an entropy-coded segment.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    buffer: u64,
    count: u32,
}

impl BitWriter {
    fn put(&mut self, bits: u32, length: u32) {
        self.buffer = self.buffer << length | u64::from(bits);
        self.count += length;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.buffer >> self.count) as u8;
            self.bytes.push(byte);
            if byte == 0xFF {
                self.bytes.push(0);
            }
        }
    }

    fn symbol(&mut self, random: &mut Random, spec: &[u8], symbol: u8) {
        let mut code = Code::new();
        code.define(spec).unwrap();
        let (_, code, length) = code.symbols(16).find(|&(s, ..)| s == symbol).unwrap();
        self.put(code, length);
        let size = u32::from(symbol & 15);
        let value = random.next() as u32 & ((1 << size) - 1);
        self.put(if random.one_in(4) { (1 << size) - 1 } else { value }, size);
    }

    /// Padding (F.1.2.3) may be anything for libjpeg.
    fn pad(&mut self, random: &mut Random) {
        if self.count > 0 {
            let bits = 8 - self.count;
            let padding = if random.one_in(2) { u32::MAX } else { random.next() as u32 };
            self.put(padding & ((1 << bits) - 1), bits);
        }
    }
}

fn segment(file: &mut Vec<u8>, marker: u8, body: &[u8]) {
    file.extend_from_slice(&[0xFF, marker]);
    file.extend_from_slice(&(body.len() as u16 + 2).to_be_bytes());
    file.extend_from_slice(body);
}

/// A JPEG that no encoder would write but every decoder must read: random codes, symbols, sampling, restarts.
fn made_up(random: &mut Random) -> Vec<u8> {
    let gray = random.one_in(4);
    let (h, v) = random.pick(&[(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 4), (4, 2), (3, 1), (3, 2), (4, 4)]);
    let blocks_left = 10usize.saturating_sub(h * v);
    let mut factors = vec![(h, v)];
    if !gray {
        let divisors: Vec<(usize, usize)> = [(1, 1), (2, 1), (1, 2), (2, 2), (3, 1), (4, 1), (4, 2)]
            .into_iter()
            .filter(|&(a, b)| h % a == 0 && v % b == 0 && 2 * a * b <= blocks_left)
            .collect();
        if divisors.is_empty() {
            return made_up(random);
        }
        factors.extend([random.pick(&divisors), random.pick(&divisors)]);
    }
    let (width, height) = (1 + random.below(70), 1 + random.below(70));

    let mut file = vec![0xFF, SOI];
    if random.one_in(2) {
        segment(&mut file, 0xE0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0");
    } else if random.one_in(2) {
        segment(&mut file, 0xEE, b"Adobe\0\x64\0\0\0\0\x01");
    }
    if random.one_in(3) {
        let chunks = 1 + random.below(3) as u8;
        for chunk in 1..=chunks {
            segment(&mut file, 0xE2, &[b"ICC_PROFILE\0", &[chunk, chunks, 7, 7][..]].concat());
        }
    }
    if random.one_in(3) {
        segment(&mut file, COM, b"\xFF\xD8\xFF\xD9");
    }
    let mut quantisation = vec![0];
    quantisation.extend((0..64).map(|_| random.pick(&[1, 2, 16, 255])));
    segment(&mut file, DQT, &quantisation);
    let mut quantisation = vec![0x11];
    quantisation.extend((0..128).map(|i| if i % 2 == 0 { random.pick(&[0, 1, 64]) } else { 3 }));
    segment(&mut file, DQT, &quantisation);
    let mut specs = Vec::new();
    for slot in 0..2u8 {
        let sizes: Vec<u8> = (0..random.pick(&[3, 9, 12, 16])).collect();
        let mut symbols: Vec<u8> = vec![0x00, 0xF0];
        let largest = random.pick(&[2, 10, 15]);
        let all = (1..=255u8).filter(|s| s & 15 != 0 && s & 15 <= largest);
        symbols.extend(all.filter(|_| random.below(3) != 0));
        for i in (1..symbols.len()).rev() {
            symbols.swap(i, random.below(i + 1));
        }
        let pair = (huffman(random, &sizes), huffman(random, &symbols));
        segment(&mut file, DHT, &[&[slot][..], &pair.0, &[0x10 | slot], &pair.1].concat());
        specs.push(pair);
    }
    let restarts = if random.one_in(2) { 0 } else { 1 + random.below(9) };
    if restarts > 0 {
        segment(&mut file, DRI, &(restarts as u16).to_be_bytes());
    }
    let (y, x) = ((height as u16).to_be_bytes(), (width as u16).to_be_bytes());
    let mut frame = vec![8, y[0], y[1], x[0], x[1], factors.len() as u8];
    let mut scan = vec![factors.len() as u8];
    let mut slots = Vec::new();
    for (i, &(h, v)) in factors.iter().enumerate() {
        let (id, slot) = (i as u8 + 1, random.below(2));
        frame.extend_from_slice(&[id, (h << 4 | v) as u8, random.below(2) as u8]);
        scan.extend_from_slice(&[id, (slot << 4 | slot) as u8]);
        slots.push(slot);
    }
    scan.extend_from_slice(&[0, 63, 0]);
    segment(&mut file, random.pick(&[0xC0, 0xC1]), &frame);
    segment(&mut file, SOS, &scan);

    let (mcu_width, mcu_height) = if gray { (8, 8) } else { (8 * h, 8 * v) };
    let mcus = width.div_ceil(mcu_width) * height.div_ceil(mcu_height);
    let density = random.pick(&[1, 4, 64]);
    let mut bits = BitWriter::default();
    for mcu in 0..mcus {
        if restarts > 0 && mcu > 0 && mcu % restarts == 0 {
            bits.pad(random);
            file.append(&mut bits.bytes);
            file.extend_from_slice(&[0xFF, 0xD0 | ((mcu / restarts - 1) % 8) as u8]);
        }
        for (&(h, v), &slot) in factors.iter().zip(&slots) {
            let (dc, ac) = &specs[slot];
            for _ in 0..if gray { 1 } else { h * v } {
                let size = random.pick(&dc[16..]);
                bits.symbol(random, dc, size);
                let mut k = 1;
                while k < 64 {
                    let symbol = if random.one_in(density) { 0 } else { random.pick(&ac[16..]) };
                    let run = usize::from(symbol >> 4);
                    if k + run > 63 {
                        continue;
                    }
                    bits.symbol(random, ac, symbol);
                    k = if symbol == 0 { 64 } else { k + run + 1 };
                }
            }
        }
    }
    bits.pad(random);
    file.append(&mut bits.bytes);
    if random.one_in(4) {
        file.extend_from_slice(&[0xFF; 3]);
    }
    file.extend_from_slice(&[0xFF, EOI]);
    if random.one_in(4) {
        file.extend_from_slice(b"\0behind");
    }
    file
}

/// Damages a file in one to three places.
fn mutate(random: &mut Random, original: &[u8]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    let scan = bytes.windows(2).position(|w| w == [0xFF, SOS]).unwrap_or(2);
    for _ in 0..1 + random.below(3) {
        let length = bytes.len().max(2);
        // Headers are a small part of a file, but most of its meaning.
        let at = match random.below(4) {
            0 | 1 => random.below(scan.clamp(1, length)),
            2 => random.below(length),
            _ => length - 1 - random.below(length.min(24)),
        };
        let at = at.min(bytes.len());
        let some = (at + 1 + random.below(9)).min(bytes.len());
        let markers: Vec<usize> = (1..bytes.len()).filter(|&i| bytes[i - 1] == 0xFF && bytes[i] != 0).collect();
        match random.below(10) {
            0 | 1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            2 if at < bytes.len() => bytes[at] = random.next() as u8,
            3 if at < bytes.len() => {
                bytes[at] = random.pick(&[0, 1, 2, 3, 8, 0x11, 0x21, 0x22, 0x3F, 0xC0, 0xC4, 0xD0, 0xD9, 0xDA, 0xFF]);
            }
            4 => drop(bytes.drain(at..some)),
            5 => drop(bytes.splice(at..at, (0..random.below(4)).map(|_| random.pick(&[0, 0xFF, 0xD0, 0xD9, 0x55])))),
            6 => bytes.truncate(at),
            7 => {
                let piece = bytes[at..some].to_vec();
                let to = random.below(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            8 if !markers.is_empty() => {
                let marker = random.pick(&markers);
                bytes[marker] =
                    random.pick(&[0, 0xC0, 0xC1, 0xC2, 0xC4, 0xD0, 0xD1, 0xD7, 0xD9, 0xDD, 0xE0, 0xEE, 0xFE]);
            }
            9 if !markers.is_empty() => {
                let at = random.pick(&markers) - 1;
                let segment = random.pick(&[
                    &b"\xFF\xFF"[..],
                    b"\xFF\xDD\0\x04\0\x01",
                    b"\xFF\xFE\0\x02",
                    b"\xFF\xD0",
                    b"\xFF\x01",
                    b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0\0",
                    b"\xFF\xE0\0\x10JFIF\0\x02\x01\0\0\0\0\0\0\0",
                    b"\xFF\xE2\0\x12ICC_PROFILE\0\x01\x02\0\0",
                    b"\xFF\xDC\0\x04\0\x08",
                ]);
                bytes.splice(at..at, segment.iter().copied());
            }
            _ => {}
        }
    }
    bytes
}

/// Rounds of the random tests; `JPEG_SCAN_ROUNDS` sets another number, for a long night.
fn rounds(default: usize) -> usize {
    std::env::var("JPEG_SCAN_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(default)
}

#[test]
fn vouches_for_all_that_libjpeg_turbo_encodes() {
    let (mut random, mut verifier) = (Random(1), Verifier::new());
    for round in 0..280 {
        let subsampling = SUBSAMPLINGS[round % 7];
        let side =
            |random: &mut Random| if random.one_in(4) { random.pick(&[1, 8, 16, 64]) } else { 1 + random.below(70) };
        let (width, height) = (side(&mut random), side(&mut random));
        let bytes = encoded(&mut random, width, height, subsampling);
        let what = || format!("{width}x{height} {subsampling:?}");
        assert!(holds(&mut verifier, &bytes, &what), "{}: {:?}", what(), verify(&bytes));
        let scan = verify(&bytes).unwrap();
        assert_eq!(scan.trailing, 0);
        assert_eq!(scan.components, if subsampling == Subsamp::Gray { 1 } else { 3 });
        let factors = (subsampling.width() as u8, subsampling.height() as u8);
        assert_eq!(scan.sampling, factors);
    }
}

#[test]
fn vouches_for_streams_of_random_codes_restarts_and_sampling() {
    let (mut random, mut verifier) = (Random(2), Verifier::new());
    for round in 0..rounds(250) {
        let bytes = made_up(&mut random);
        let vouched = holds(&mut verifier, &bytes, &|| format!("round {round}"));
        assert!(vouched, "round {round}: {:?}", verify(&bytes));
    }
}

#[test]
fn never_vouches_for_damage_that_libjpeg_turbo_notices() {
    let (mut random, mut verifier) = (Random(3), Verifier::new());
    let (mut vouched, rounds) = (0, rounds(12_000));
    for round in 0..rounds / 40 {
        let original = match round % 3 {
            0 => made_up(&mut random),
            _ => {
                let (width, height) = (1 + random.below(48), 1 + random.below(48));
                let subsampling = random.pick(&SUBSAMPLINGS);
                encoded(&mut random, width, height, subsampling)
            }
        };
        for _ in 0..40 {
            let bytes = mutate(&mut random, &original);
            vouched += usize::from(holds(&mut verifier, &bytes, &|| format!("round {round}: {bytes:02X?}")));
            if random.one_in(16) {
                assert_eq!(verifier.verify(&bytes), verify(&bytes), "depends on earlier files: round {round}");
            }
        }
    }
    println!("{vouched} of {rounds} mutations were vouched for");
    assert!(vouched > rounds / 20, "only {vouched} of {rounds} mutations were vouched for: too wild to test anything");
}

#[test]
fn doubts_every_truncation() {
    let mut random = Random(4);
    let mut verifier = Verifier::new();
    for bytes in [encoded(&mut random, 33, 20, Subsamp::Sub2x2), made_up(&mut random)] {
        let end = bytes.windows(2).rposition(|w| w == [0xFF, EOI]).unwrap() + 2;
        for length in 0..end {
            assert!(verifier.verify(&bytes[..length]).is_err(), "cut at {length} of {end}");
        }
        assert!(verifier.verify(&bytes[..end]).is_ok());
    }
}

#[test]
fn names_its_doubts() {
    let bytes = encoded(&mut Random(5), 40, 30, Subsamp::Sub2x1);
    let with = |from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).position(|w| w == from).unwrap();
        verify(&[&bytes[..at], to, &bytes[at + from.len()..]].concat()).unwrap_err()
    };
    assert_eq!(verify(b"GIF89a").unwrap_err(), Doubt::NotJpeg);
    assert_eq!(verify(&bytes[..bytes.len() - 2]).unwrap_err(), Doubt::Truncated);
    assert_eq!(verify(&bytes[..bytes.len() / 2]).unwrap_err(), Doubt::Truncated);
    assert_eq!(with(b"\xFF\xD9", b"\0\0\xFF\xD9"), Doubt::ExtraData);
    assert_eq!(with(b"\xFF\xD9", b"\xFF\xD0\xFF\xD9"), Doubt::WrongMarker(0xD0));
    assert_eq!(with(b"\xFF\xC0\0\x11\x08", b"\xFF\xC0\0\x11\x0C"), Doubt::Precision(12));
    assert_eq!(with(b"\xFF\xC0", b"\xFF\xC2"), Doubt::Progressive);
    assert_eq!(with(b"\xFF\xC0", b"\xFF\xC9"), Doubt::Process(0xC9));
    assert_eq!(with(b"\x01\x21\0", b"\x01\x44\0"), Doubt::Sampling);
    assert_eq!(with(b"JFIF\0\x01", b"JFIF\0\x02"), Doubt::Jfif);
    assert_eq!(with(b"\xFF\xDA", b"\0\xFF\xDA"), Doubt::NoMarker);
    assert_eq!(with(b"\xFF\xDB\0\x43\0", b"\xFF\xDB\0\x43\x03"), Doubt::MissingTable);
}

/// One gray block, all of whose codes are 0.
fn tiny(dc: &[u8], ac: &[u8]) -> Vec<u8> {
    let mut file = vec![0xFF, SOI];
    segment(&mut file, DQT, &[&[0][..], &[1; 64]].concat());
    segment(&mut file, 0xC0, &[8, 0, 8, 0, 8, 1, 1, 0x11, 0]);
    for (class, symbols) in [(0x00, dc), (0x10, ac)] {
        let mut counts = [0; 16];
        counts[0] = symbols.len() as u8;
        segment(&mut file, DHT, &[&[class][..], &counts, symbols].concat());
    }
    segment(&mut file, SOS, &[1, 1, 0, 0, 63, 0]);
    file.extend_from_slice(&[0x3F, 0xFF, EOI]);
    file
}

#[test]
fn refuses_the_huffman_tables_that_libjpeg_turbo_refuses() {
    assert_eq!(verify(&tiny(&[0], &[0])).unwrap().thumb, [128]);
    assert!(judge(&tiny(&[0], &[0])).is_ok());
    // A code of all ones; a DC size above 15; bits that are no code; a code that libjpeg takes for an end of block.
    for (dc, ac, doubt, silent) in [
        (&[0, 1][..], &[0][..], Doubt::BadTable, false),
        (&[0], &[0, 1], Doubt::BadTable, false),
        (&[16], &[0], Doubt::BadTable, false),
        (&[1], &[], Doubt::BadCode, false),
        (&[0], &[0x10], Doubt::BadCode, true),
    ] {
        assert_eq!(verify(&tiny(dc, ac)).unwrap_err(), doubt, "{dc:?} {ac:?}");
        assert_eq!(judge(&tiny(dc, ac)).is_ok(), silent, "{dc:?} {ac:?}");
    }
}

#[test]
fn doubts_a_file_whose_colours_are_not_ycbcr() {
    let bytes = encoded(&mut Random(7), 24, 24, Subsamp::None);
    let replace = |bytes: &[u8], from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).position(|w| w == from).unwrap();
        [&bytes[..at], to, &bytes[at + from.len()..]].concat()
    };
    let rgb = replace(&bytes, b"\x03\x01\x11\0\x02\x11\x01\x03\x11\x01", b"\x03R\x11\0G\x11\x01B\x11\x01");
    let rgb = replace(&rgb, b"\x03\x01\0\x02\x11\x03\x11\0\x3F", b"\x03R\0G\x11B\x11\0\x3F");
    assert!(holds(&mut Verifier::new(), &rgb, &|| "JFIF is YCbCr whatever the names".into()));
    let bare = replace(&rgb, b"JFIF", b"JUNK");
    assert_eq!(verify(&bare).unwrap_err(), Doubt::Colour);
    assert_ne!(judge(&bare).unwrap().2, verify(&rgb).unwrap().thumb);
    let adobe = replace(&replace(&bytes, b"JFIF", b"JUNK"), b"\xFF\xDB", b"\xFF\xEE\0\x0EAdobe\0d\0\0\0\0\0\xFF\xDB");
    assert_eq!(verify(&adobe).unwrap_err(), Doubt::Colour);
}

#[test]
fn counts_the_bytes_behind_the_image() {
    let mut bytes = encoded(&mut Random(6), 9, 9, Subsamp::None);
    bytes.extend_from_slice(&[0; 100]);
    assert_eq!(verify(&bytes).unwrap().trailing, 100);
}

/// `shared/data` beside the checkout.
fn photos(folder: &str, step: usize) -> Vec<PathBuf> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, files) } else { files.push(path) }
        }
    }
    let mut files = Vec::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|a| a.join("shared/data").join(folder));
    match data.into_iter().find(|path| path.is_dir()) {
        Some(folder) => walk(&folder, &mut files),
        None => eprintln!("skipped: no shared/data/{folder} above {}", env!("CARGO_MANIFEST_DIR")),
    }
    files.sort();
    files.into_iter().step_by(step).collect()
}

#[test]
fn agrees_with_libjpeg_turbo_on_photos() {
    let mut verifier = Verifier::new();
    for (folder, step, at_least) in
        [("imagenet1000", 40, 1.0), ("catsdogs", 20, 1.0), ("flowers", 150, 1.0), ("dirty", 10, 0.9), ("odd", 1, 0.5)]
    {
        let (mut silent, mut vouched) = (0, 0);
        for path in photos(folder, step) {
            let bytes = std::fs::read(&path).unwrap();
            vouched += usize::from(holds(&mut verifier, &bytes, &|| path.display().to_string()));
            silent += usize::from(bytes.starts_with(&[0xFF, SOI]) && judge(&bytes).is_ok());
        }
        assert!(f64::from(vouched as u32) >= at_least * f64::from(silent as u32), "{folder}: {vouched} of {silent}");
    }
}

/// Why [`judge`] makes a decompressor of its own each time, and why `MissingTable` is a doubt.
#[test]
fn a_reused_decompressor_vouches_for_a_file_without_tables() {
    let bytes = encoded(&mut Random(8), 8, 8, Subsamp::Gray);
    let at = bytes.windows(2).position(|w| w == [0xFF, DQT]).unwrap();
    let bare = [&bytes[..at], &bytes[at + 2 + 67..]].concat();
    let mut decompressor = Decompressor::new().unwrap();
    let mut decode = |bytes: &[u8]| {
        let mut pixels = [0; 64];
        let image = Image { pixels: &mut pixels[..], width: 8, pitch: 8, height: 8, format: PixelFormat::GRAY };
        decompressor.decompress(bytes, image)
    };
    assert!(decode(&bare).is_err());
    assert!(decode(&bytes).is_ok());
    assert!(decode(&bare).is_ok());
    let mut verifier = Verifier::new();
    assert!(verifier.verify(&bytes).is_ok());
    assert_eq!(verifier.verify(&bare).unwrap_err(), Doubt::MissingTable);
}
