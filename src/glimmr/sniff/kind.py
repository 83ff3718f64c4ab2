"""The closed list of what bytes can be."""

from enum import StrEnum

HEAD_BYTES = 256 * 1024  # what `sniff` wants to see; less is fine when the content is shorter


class Kind(StrEnum):
    """What bytes are. The value is what reports show."""

    EMPTY = "empty"
    GZIP = "gz"
    ZIP = "zip"
    BZIP2 = "bz2"
    XZ = "xz"
    ZSTD = "zst"
    SEVENZIP = "7z"
    RAR = "rar"
    TAR = "tar"
    OTHER_ARCHIVE = "other_archive"  # cab, lz4, Z, …
    XLSX = "xlsx"  # and xlsm
    XLSB = "xlsb"
    XLS = "xls"
    ENCRYPTED_OFFICE = "encrypted_office"
    OOXML_DOCUMENT = "docx"
    OLE_DOCUMENT = "doc"
    OPENDOCUMENT = "ods"
    PDF = "pdf"
    RTF = "rtf"
    IMAGE = "image"
    HTML = "html"
    MHTML = "mhtml"
    XML = "xml"
    SPREADSHEETML = "spreadsheetml"
    LFS_POINTER = "lfs_pointer"
    PAYER_JSON = "payer_json"
    JSON = "json"
    PARQUET = "parquet"
    DATABASE = "database"  # Access, SQLite
    DELIMITED = "csv"
    UNKNOWN = "unknown"
