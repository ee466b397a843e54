//! Many small pictures in named rows.

use std::path::Path;

use cifake::{Error, Filter, Picture};
use image::RgbImage;
use plotters::style::FontStyle;

use super::canvas::{Area, Drawn, TEXT_SIZE, save_with_pictures, write};

/// Longest side of a picture in the sheet, in pixels.
const TILE: u32 = 64;
/// Between pictures, and around the sheet.
const GAP: u32 = 6;
/// Width of what stands beside a row.
const TEXT: u32 = 190;
/// Most rows and most pictures a row, which bound memory.
const MAX_ROWS: usize = 100;
const MAX_COLUMNS: usize = 20;

/// A row of a [`contact_sheet`].
#[derive(Debug, Clone)]
pub struct SheetRow<'a> {
    /// The property that the pictures have in common.
    pub name: &'a str,
    /// A line below the name.
    pub note: String,
    /// Small pictures, enlarged by nearest neighbours up to 64 pixels; larger ones are reduced.
    pub pictures: &'a [Picture],
}

/// A sheet of pictures, each row with its name beside it.
///
/// # Errors
///
/// [`Error::Figure`] if there is no row, more than 100, or more than 20 pictures in one;
/// [`Error::Write`].
pub fn contact_sheet(rows: &[SheetRow<'_>], path: &Path) -> Result<(), Error> {
    let columns = rows.iter().map(|row| row.pictures.len()).max().unwrap_or(0);
    if rows.is_empty() || rows.len() > MAX_ROWS || columns > MAX_COLUMNS {
        let reason = format!(
            "a sheet has 1 to {MAX_ROWS} rows of at most {MAX_COLUMNS} pictures; these are {} of \
             {columns}",
            rows.len()
        );
        return Err(Error::Figure { path: path.to_owned(), reason });
    }
    let pitch = TILE + GAP;
    let top = |row: usize| GAP + row as u32 * pitch;
    let mut tiles = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        for (column, picture) in row.pictures.iter().enumerate() {
            let left = GAP + TEXT + column as u32 * pitch;
            tiles.push((tile(picture), (left, top(index))));
        }
    }
    let size = (GAP + TEXT + columns as u32 * pitch, GAP + rows.len() as u32 * pitch);
    let draw = |area: &Area<'_>| -> Drawn {
        rows.iter().enumerate().try_for_each(|(index, row)| {
            let middle = top(index) + TILE / 2;
            write(area, row.name, (GAP, middle - TEXT_SIZE - 2), FontStyle::Bold)?;
            write(area, &row.note, (GAP, middle + 2), FontStyle::Normal)
        })
    };
    save_with_pictures(path, size, draw, &tiles)
}

/// `picture` as large as a tile allows.
fn tile(picture: &Picture) -> RgbImage {
    let (width, height) = (picture.width(), picture.height());
    let longest = width.max(height);
    if longest == 0 {
        return RgbImage::new(0, 0);
    }
    if longest <= TILE {
        let zoom = TILE / longest;
        return picture.resized(width * zoom, height * zoom, Filter::Nearest).into();
    }
    let reduced =
        |side: u32| (u64::from(side) * u64::from(TILE) / u64::from(longest)).max(1) as u32;
    picture.resized(reduced(width), reduced(height), Filter::Box).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(rgb: [u8; 3], width: u32, height: u32) -> Picture {
        Picture::new(rgb.repeat((width * height) as usize), width, height).expect("not empty")
    }

    #[test]
    fn pictures_stand_beside_their_names_pixel_by_pixel() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("sheet.png");
        let striped: Vec<u8> = (0..32 * 32).flat_map(|i| [(i % 2 * 255) as u8; 3]).collect();
        let striped = Picture::new(striped, 32, 32).expect("32x32");
        let first = [striped, flat([200, 0, 0], 300, 150)];
        let second = [flat([0, 0, 200], 32, 32)];
        let rows = [
            SheetRow { name: "one", note: "97.5 %".to_owned(), pictures: &first },
            SheetRow { name: "other", note: String::new(), pictures: &second },
        ];
        contact_sheet(&rows, &path).expect("there are rows");
        let sheet = image::open(&path).expect("a figure was written").to_rgb8();
        assert_eq!(sheet.dimensions(), (GAP + TEXT + 2 * 70, GAP + 2 * 70));
        let left = GAP + TEXT;
        let stripes: Vec<u8> = (0..6).map(|x| sheet.get_pixel(left + x, GAP).0[0]).collect();
        assert_eq!(stripes, [0, 0, 255, 255, 0, 0]);
        assert_eq!(sheet.get_pixel(left + 70 + 63, GAP + 31).0, [200, 0, 0]);
        assert_eq!(sheet.get_pixel(left + 70, GAP + 32).0, [255; 3], "twice as wide as high");
        assert_eq!(sheet.get_pixel(left + 63, GAP + 70).0, [0, 0, 200]);
        let ink = |row: u32| {
            let pixels = (0..TEXT).flat_map(move |x| (0..TILE).map(move |y| (x, y)));
            pixels.filter(|(x, y)| sheet.get_pixel(GAP + x, GAP + row * 70 + y).0[0] < 120).count()
        };
        assert!(ink(0) > 50 && ink(1) > 30, "the names are written");
    }

    #[test]
    fn a_sheet_without_rows_or_with_too_many_is_an_error() {
        let path = Path::new("never-written.png");
        let pictures = vec![flat([0; 3], 2, 2); MAX_COLUMNS + 1];
        let row = |pictures| SheetRow { name: "", note: String::new(), pictures };
        assert!(contact_sheet(&[], path).is_err());
        assert!(contact_sheet(&vec![row(&pictures[..1]); MAX_ROWS + 1], path).is_err());
        assert!(contact_sheet(&[row(&pictures)], path).is_err());
        assert!(!path.exists());
    }
}
