"""TCGA-BRCA as a second real input: 1,097 patients' HER2 fields, as their hospitals filled them in.

The file is open-access clinical data of The Cancer Genome Atlas (TCGA), given out by the NCI Genomic
Data Commons (GDC). It stays outside the repository: `TCGA_BRCA_FILE` names it, by default
`../shared/data/tcga_brca_her2.tsv` beside the checkout. Whoever lacks it skips with one loud line.
Nothing that is printed or written here holds a barcode or a row: kinds and counts only.

- `fields`: the file's columns and the one row of a patient.
- `as_fhir`: the two ways in which a registry would send such a row.
- `contradictions`: which fields of a row contradict each other, read from the rules alone.
- `second_answer`: the category that the fields give, by the second reader of the rules.
- `run`: all rows through the adapter's pure parts, and what came of each sample.
- `page`: `docs/tcga-brca.md`; `python -m tests.registries.tcga` writes it.
"""
