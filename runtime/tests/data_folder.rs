//! Pictures in folders, one a class.

use std::fs;

use castnet_runtime::data::{Batches, Dataset, Examples, ImageFolder, Normalize};
use castnet_runtime::image::GreyImage;

#[test]
fn folders_are_classes_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let picture = |name: &str, size: [usize; 2], grey: u8| {
        fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        GreyImage::new(size[1], size[0], vec![grey; size[0] * size[1]]).unwrap().write_png(at(name)).unwrap();
    };
    // Made in another order than they come in.
    picture("rose/2.png", [2, 3], 51);
    picture("rose/1.PNG", [4, 6], 255);
    picture("rose/deep/er/0.png", [2, 3], 102);
    picture("daisy/b.png", [2, 3], 0);
    fs::write(at("daisy/notes.txt"), "no picture").unwrap();
    fs::write(at("loose.png"), "of no class").unwrap();

    let open = || ImageFolder::open(folder.path(), [2, 3]);
    let images = open().unwrap();
    assert_eq!(images.classes(), ["daisy", "rose"]);
    let files: Vec<_> = (0..4).map(|i| images.file(i).unwrap()).collect();
    let expected = [("daisy/b.png", 0), ("rose/1.PNG", 1), ("rose/2.png", 1), ("rose/deep/er/0.png", 1)];
    assert_eq!(files, expected.map(|(name, class)| (at(name).leak(), class)).map(|(path, class)| (&*path, class)));
    assert!((images.len(), images.file(4)) == (4, None) && images.image(4).is_err());

    let data = Dataset::of(images).unwrap();
    let mut batches = Batches::new(&data, 4).unwrap().prefetch(1).unwrap();
    let Some([image, class]) = batches.next_batch().unwrap() else { panic!("no batch") };
    assert_eq!((image.shape(), class.as_slice::<i64>().unwrap()), (&[4, 1, 2, 3][..], &[0, 1, 1, 1][..]));
    let expected = [0.0, 1.0, 0.2, 0.4].map(|grey| [grey; 6]);
    assert_eq!(image.as_slice::<f32>().unwrap(), expected.concat());

    let normalized = open().unwrap().normalize(Normalize { mean: 0.5, std: 0.25 }).unwrap();
    let mut batches = Batches::new(&Dataset::of(normalized).unwrap(), 1).unwrap();
    let Some([image, _]) = batches.next_batch().unwrap() else { panic!("no batch") };
    assert_eq!(image.as_slice::<f32>().unwrap(), [-2.0; 6]);
    assert!(open().unwrap().normalize(Normalize { mean: 0.5, std: 0.0 }).is_err());

    // A broken file is told with its name, at its batch.
    fs::write(at("rose/2.png"), &fs::read(at("rose/1.PNG")).unwrap()[..40]).unwrap();
    let mut batches = Batches::new(&data, 1).unwrap().prefetch(3).unwrap();
    for example in 0..4 {
        match batches.next_batch() {
            Ok(batch) => assert!(batch.is_some() && example != 2),
            Err(error) => {
                let start = format!("example 2: {}: not a PNG image", at("rose/2.png").display());
                assert!(error.to_string().starts_with(&start) && example == 2, "{error}");
            }
        }
    }

    let wrong = |path: &std::path::Path| ImageFolder::open(path, [2, 3]).unwrap_err().to_string();
    fs::create_dir(at("tulip")).unwrap();
    assert_eq!(
        wrong(folder.path()),
        format!("{}: there is no PNG file in the folder of this class", at("tulip").display())
    );
    assert_eq!(wrong(&at("tulip")), format!("{}: there is no folder of a class in it", at("tulip").display()));
    assert!(wrong(&at("none")).starts_with(&format!("{}: cannot be read: ", at("none").display())));
}
