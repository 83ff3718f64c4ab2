import pytest

from glimmr.net.shares import direct

ID = "1i8VLp6mat3yGdE69gCIK7aN2J3gClE_E"
DRIVE = f"https://drive.usercontent.google.com/download?id={ID}&export=download&confirm=t"


@pytest.mark.parametrize(
    ("link", "file"),
    [
        (f"https://drive.google.com/file/d/{ID}/view?usp=sharing", DRIVE),
        (f"https://drive.google.com/file/d/{ID}/view", DRIVE),
        (f"https://drive.google.com/open?id={ID}", DRIVE),
        (f"https://drive.google.com/uc?export=download&id={ID}", DRIVE),
        (
            f"https://docs.google.com/spreadsheets/d/{ID}/edit?gid=7",
            f"https://docs.google.com/spreadsheets/d/{ID}/export?format=csv&gid=7",
        ),
        (
            "https://www.dropbox.com/scl/fi/x/f.csv?rlkey=k&st=s&dl=0",
            "https://www.dropbox.com/scl/fi/x/f.csv?rlkey=k&st=s&dl=1",
        ),
        (
            "https://baptist-health.box.com/s/vzj6l5oy331dhnx5jzk9sla3vgkjgrby",
            "https://baptist-health.box.com/shared/static/vzj6l5oy331dhnx5jzk9sla3vgkjgrby",
        ),
        (
            "https://h-my.sharepoint.com/:x:/g/personal/p/ETiLe_oLmvNB?e=mmbhFv",
            "https://h-my.sharepoint.com/:x:/g/personal/p/ETiLe_oLmvNB?e=mmbhFv&download=1",
        ),
        ("https://github.com/o/r/blob/main/d/f.csv", "https://github.com/o/r/raw/main/d/f.csv"),
    ],
)
def test_a_link_to_a_page_about_a_file_becomes_the_file(link: str, file: str) -> None:
    assert direct(link) == file
    assert direct(file) == file


@pytest.mark.parametrize(
    "url",
    [
        "https://app.box.com/index.php?rm=box_download_shared_file&shared_name=8wogrqzbbev45c7p&file_id=f_1",
        "https://sfdph.box.com/shared/static/25v7xayq48oepf9w14bolc831496lepq.csv",
        "https://store.blob.core.windows.net/c/f.csv?sv=2022&sig=abc%2F",
        "https://notdropbox.com/f.csv?dl=0",
        "https://drive.google.com/drive/folders/1i8VLp6mat3yGdE69gCIK7aN2J3gClE_E",
        "https://hospital.example/f.csv",
    ],
)
def test_every_other_address_stays_as_it_is(url: str) -> None:
    assert direct(url) == url
