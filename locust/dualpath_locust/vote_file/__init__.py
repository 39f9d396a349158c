"""Vote files: from bytes to text (`text`), from text to records (`csv_format`, `json_format`), names (`columns`)."""
