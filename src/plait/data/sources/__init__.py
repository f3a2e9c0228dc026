"""Readers of data sets, one file per format; `data/open.py` chooses the one that fits."""

from plait.core.tables import Entry

__all__ = ["SOURCES"]

SOURCES: dict[str, Entry] = {
    "folder": Entry(
        "plait.data.sources.folder:open_folder",
        "files",
        "-",
        "a folder with images/, captions.csv (image,caption) and, if there is one, splits.json",
    ),
    "rows": Entry(
        "plait.data.sources.rows:open_rows",
        "files",
        "Hodosh et al. 2013 (Flickr8k)",
        "image,caption rows: CSV, TSV, JSON, JSONL, Flickr's token.txt; with or without a header row",
    ),
    "coco": Entry(
        "plait.data.sources.coco:open_coco",
        "files",
        "Chen et al. 2015 (COCO captions)",
        "a captions JSON with images[] and annotations[]",
    ),
    "mask_rows": Entry(
        "plait.data.sources.mask_rows:open_mask_rows",
        "masks",
        "-",
        "image,text,mask rows: CSV, TSV, JSON, JSONL (a folder's pairs.csv); FOLDER#masks where it has captions too",
    ),
    "coco_masks": Entry(
        "plait.data.sources.coco_masks:open_coco_masks",
        "masks",
        "Lin et al. 2014; Kirillov et al. 2019; Yu et al. 2016",
        "COCO instances or panoptic JSON by category, RefCOCO's referring expressions",
    ),
    "class_folders": Entry(
        "plait.data.sources.classes.folders:open_class_folders",
        "classes",
        "-",
        "one folder of images per class, with or without folders train, val and test above them",
    ),
    "class_rows": Entry(
        "plait.data.sources.classes.rows:open_class_rows",
        "classes",
        "-",
        "image,label rows: CSV, TSV, JSON, JSONL; or a folder with labels.csv and images/",
    ),
    "cifar": Entry(
        "plait.data.sources.classes.cifar:open_cifar",
        "classes",
        "Krizhevsky 2009",
        "the folder of CIFAR-10's or CIFAR-100's binary version; the Python version (pickles) is refused",
    ),
    "questions": Entry(
        "plait.data.sources.questions.rows:open_question_rows",
        "questions",
        "-",
        "image,question,answer rows, or answers divided by |: CSV, TSV, JSON, JSONL (a folder's vqa.csv); "
        "FOLDER#questions where it has captions or masks too",
    ),
    "vqa": Entry(
        "plait.data.sources.questions.vqa:open_vqa",
        "questions",
        "Antol et al. 2015; Goyal et al. 2017 (VQA)",
        "VQA's questions JSON with its annotations beside it, ten answers per question",
    ),
    "daquar": Entry(
        "plait.data.sources.questions.daquar:open_daquar",
        "questions",
        "Malinowski & Fritz 2014 (DAQUAR)",
        "a text of questions that name their image, each followed by its answer",
    ),
    "hub": Entry(
        "plait.data.sources.hub:open_hub",
        "hub",
        "Lhoest et al. 2021 (datasets)",
        "hub:NAME, a save_to_disk folder or a parquet file, with image and caption or mask columns (MagicBrush)",
    ),
    "scenes": Entry(
        "plait.data.scenes.make:generate",
        "generated",
        "-",
        "scenes or scenes:COUNT: generated shapes whose captions can only be distinguished by binding",
    ),
    "scenes_masks": Entry(
        "plait.data.scenes.masks:generate_masks",
        "masks",
        "-",
        "scenes-masks or scenes-masks:COUNT: generated shapes with binding phrases and the masks that they refer to",
    ),
    "scenes_questions": Entry(
        "plait.data.scenes.asked:generate_questions",
        "questions",
        "-",
        "scenes-questions or scenes-questions:COUNT: generated shapes with questions about colours, places and counts",
    ),
}
