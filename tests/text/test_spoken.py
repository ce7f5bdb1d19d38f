"""What the voice gets: numbers and signs in words where they mean one thing, else as written."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.core import Document
from narrate.text import PlanOptions, plan
from narrate.text.spoken import Reading, spoken


def said(text: str, language: str = "en") -> str:
    return spoken(text, Reading(language))


ENGLISH = {
    "counts": "He had 3 dogs and 1,234 cats. | He had three dogs and one thousand two hundred and "
    "thirty-four cats.",
    "grouped by spaces": "10 000 men | ten thousand men",
    "decimals": "3.14 or .5 | three point one four or zero point five",
    "below zero": "It was −5° or -3.5. | It was minus five degrees or minus three point five.",
    "ordinals": "the 1st, 22nd, 13th and 1,000th | "
    "the first, twenty-second, thirteenth and one thousandth",
    "compounds": "a 10,000-year-old tree, a 24-hour day | "
    "a ten-thousand-year-old tree, a twenty-four-hour day",
    "coins": "It cost $5.20. | It cost five dollars and twenty cents.",
    "one of each": "£1.01 | one pound and one penny",
    "other money": "€3, ¥500, 20¢ and 5 € | three euros, five hundred yen, twenty cents and five "
    "euros",
    "millions": "$3 million, £1.5bn | three million dollars, one point five billion pounds",
    "money that describes": "a $20 bill, $5 he owed | a twenty dollar bill, five dollars he owed",
    "percent": "5% or 5–10 % | five percent or five to ten percent",
    "decades": "the 1990s, the '80s, mid-1920s | "
    "the nineteen nineties, the eighties, mid-nineteen twenties",
    "years": "in 1984 and 1905 | in nineteen eighty-four and nineteen oh five",
    "no year": "1500 men on page 1234 | one thousand five hundred men on page one thousand two "
    "hundred and thirty-four",
    "ranges of years": "1914–18, 1939-1945 | nineteen fourteen to eighteen, nineteen thirty-nine "
    "to nineteen forty-five",
    "citations": "(Smith, 1984, p. 12) | (Smith, nineteen eighty-four, page twelve)",
    "dates": "July 4, 1776; 4 July; the 4th of July; 2020-01-31 | July fourth, seventeen "
    "seventy-six; the fourth of July; the fourth of July; January thirty-first, twenty twenty",
    "short months": "Jan. 5 and Dec. 1941 | January fifth and December nineteen forty-one",
    "times": "at 10:30 a.m., 5pm, 14:05 and 9:00 | "
    "at ten thirty a.m., five p.m., fourteen oh five and nine o'clock",
    "units": "5 km, 1 kg, 20 °C, 60 mph | five kilometres, one kilogram, twenty degrees Celsius, "
    "sixty miles per hour",
    "ranges of units": "10-15 minutes, pp. 3–5 | ten to fifteen minutes, pages three to five",
    "fractions": "½, 2½ cups, 3/4 of it | one half, two and a half cups, three quarters of it",
    "parts": "Chapter XIV, Part I, ACT V | Chapter fourteen, Part one, ACT five",
    "rulers": "Henry VIII, Louis XIV's and Queen Elizabeth I | "
    "Henry the Eighth, Louis the Fourteenth's and Queen Elizabeth the First",
    "titles": "Mr. Hall, Dr. Lee, Prof. J. Smith | Mister Hall, Doctor Lee, Professor J. Smith",
    "couples": "Mr. and Mrs. Hall, Mr. & Mrs. Lee | Mister and Missus Hall, Mister and Missus Lee",
    "saints": "He lives in St. Ives. | He lives in Saint Ives.",
    "latin": "e.g. tea, i.e. this, cats etc. | for example tea, that is this, cats et cetera.",
    "number": "No. 5 and #7 | Number five and number seven",
    "signs": "cats & dogs, § 5, 2 + 2 = 4, 10⁶ | "
    "cats and dogs, section five, two plus two equals four, ten to the power of six",
    "no number": "He said no. 5 men left. | He said no. five men left.",
    "a street": "12 Elm Dr. West | twelve Elm Dr. West",
    "tight short words": "p.5 and No.1 | page 5 and Number 1",
    "centuries": "the XIX century | the nineteenth century",
    "parts in short": "Vol. II, Act III, Scene ii | Volume two, Act three, Scene two",
    "wars": "World War I was over. | World War one was over.",
    "a stop in a time": "10.30 a.m. | ten thirty a.m.",
    "more or less": "5±2 or ±3 | five plus or minus two or plus or minus three",
    "a number's sign": "№ 5 | number five",
    "a power alone": "10⁶ | ten to the power of six",
    "a fraction's own slash": "1⁄2 | one half",
    "frost at the start": "-5 °C | minus five degrees Celsius",
    "mail": "joe@example.com | joe at example dot com",
    "addresses": "https://example.org/old-books/lists, (www.example.com). | "
    "example dot org slash old-books slash lists, (www dot example dot com).",
    "old money": "£3 10s. 6d. for it, 3s. 6d. a week, £1,200 5s. He left. | three pounds ten "
    "shillings and six pence for it, three shillings and six pence a week, one thousand two "
    "hundred pounds five shillings. He left.",
    "halfpence": "1s. 1d. or £5 0s. 6½d | one shilling and one penny or five pounds and six and a "
    "half pence",
    "places": "43° 15' N., 5° 1' 1\" W. of it, 45° | forty-three degrees fifteen minutes north, "
    "five degrees one minute one second west of it, forty-five degrees",
    "feet and inches": "6 ft. 4 in. tall, 5 ft. 10½ in. He slept. | six feet four inches tall, "
    "five feet ten and a half inches. He slept.",
    "pounds and ounces": "12 lbs. 5 oz. of it | twelve pounds five ounces of it",
    "a British time": "at 5.30 in the morning | at five thirty in the morning",
    "a stop behind a numeral": "Charles I. was king; Henry VIII., who; ch. iv., p. 5 | Charles "
    "the First was king; Henry the Eighth, who; chapter four, page five",
    "equations": "E = mc² and NAME = 1 | E equals mc² and NAME equals one",
    "ordinals of old": "the 2d of June, AUGUST 3d, 1833; the 1ST and 5TH | the second of June, "
    "August third, eighteen thirty-three; the first and fifth",
    "items in roman": "II. The storm; III. the calm; IV., the rest; V. the last | two. The storm; "
    "three. the calm; four, the rest; five. the last",
    "spaced short words": "i. e. late, e. g. at 10 a. m. or 5 P. M. then | that is late, for "
    "example at ten a.m. or five p.m. then",
    "given names": "Sir Wm. Hall, Thos. B. Reed, Mme. Lee, Bk. IV., p. 5 | Sir William Hall, "
    "Thomas B. Reed, Madame Lee, Book four, page five",
    "spaced dots": "He came . . . and went. . . . No. | He came … and went… No.",
    "marks of notes": "word† and end.‡ | word and end.",
}


@pytest.mark.parametrize("kind", ENGLISH)
def test_english_is_put_into_words(kind: str) -> None:
    written, words = ENGLISH[kind].split(" | ")
    assert said(written) == words


UNTOUCHED = [
    "No. He said no.",
    "I, for one. I think so. Mary I adore. Part I liked best.",
    "The score was 3-2, then 3–2, then 2:1.",
    "On 1/2/2020, or 1/2/20, it rained.",
    "Call 555-1234, +1 (555) 123-4567 or 020 7946 0958.",
    "ISBN 978-3-16-148410-0",
    "Version 2.13.0 at 192.168.0.1, Python 3.11",
    "https://example.org/1984/1/2?a=5 and www.example.com/3",
    "a.b1@example.com",
    "COVID-19, B-52, R2-D2, MP3, 4x4, H2O, A4, 3D, Catch-22",
    "Room 101, Flight 370, Boeing 747, agent 007, Beverly Hills 90210",
    "9/11 and 24/7 in 3/4 time",
    "NASA, the U.S.A., AT&T, R&D",
    "Main St. Louis went on.",
    "Smith (1984a)",
    "Malcolm X, MIX, CIVIL, VI",
    "George V. Smith",
    "He was 5'10\".",
    "2,5 or 1,23",
    "#tag and $HOME, #741573",
    "See Section 5.21, dh_strip(1), as told before[1] and here.[2]",
    "5.14. Customization",
    "3.2. git",
    "5m in 90s",
    "It is 10**6 or snake_case_name.",
    "At 0500 hours the 7th-8th ended.",
    "He saw II, C++, §, a/b, H₂O and x².",
    "10s. a week and 3d. each, the 12d of May",
    "V. Smith; I. The storm. The MIX.",
    "the 7th–9th, Francis X. de Hall",
    "a † b, and x†y",
]


@pytest.mark.parametrize("text", UNTOUCHED)
def test_what_could_mean_two_things_is_left_as_it_is_written(text: str) -> None:
    assert said(text) == text


OTHERS = [
    ("de", "23 Hunde, 1.234,5 km, 5 %, 5,20 €", "dreiundzwanzig Hunde, "
     "eintausendzweihundertvierunddreißig Komma fünf Kilometer, fünf Prozent, "
     "fünf Euro und zwanzig Cent"),
    ("de", "1984, am 3. Mai, 14:30 Uhr", "neunzehnhundertvierundachtzig, am dritten Mai, "
     "vierzehn Uhr dreißig"),
    ("de", "die 90er, 1 Katze, 3. Mai, 3.5.1990", "die neunziger, 1 Katze, 3. Mai, 3.5.1990"),
    ("fr", "80 ans, 1 234,5, 5 %, le 1er mai, 21 ans", "quatre-vingts ans, mille deux cent "
     "trente-quatre virgule cinq, cinq pour cent, le premier mai, 21 ans"),
    ("fr", "à 14 h 30, 21h", "à quatorze heures trente, vingt et une heures"),
    ("fr", "au XIVe siècle", "au quatorzième siècle"),
    ("es", "el siglo XIX, siglo V", "el siglo diecinueve, siglo V"),
    ("it", "il XX secolo", "il ventesimo secolo"),
    ("de", "Sie kommt am 3.", "Sie kommt am 3."),
    ("de", "Kapitel IV, Teil C, Nr. 5, z. B. 20 °C, 1 km, Dr. Hall, Ludwig XIV.",
     "Kapitel vier, Teil C, Nummer fünf, zum Beispiel zwanzig Grad Celsius, 1 km, Doktor Hall, "
     "Ludwig XIV."),
    ("fr", "CHAPITRE I. M. Hall, Mme Lucas, n° 5, 3,5 kg, Louis XIV, Louis I",
     "CHAPITRE premier. Monsieur Hall, Madame Lucas, numéro cinq, trois virgule cinq kilogrammes, "
     "Louis quatorze, Louis I"),
    ("es", "Capítulo IV, Sr. García, 5 km, Felipe II, Alfonso XIII",
     "Capítulo cuatro, señor García, cinco kilómetros, Felipe segundo, Alfonso trece"),
    ("it", "Capitolo IV, il sig. Rossi, 5 km, Pio IX",
     "Capitolo quattro, il signor Rossi, cinque chilometri, Pio nono"),
    ("pt", "Capítulo IV, o Sr. Hall, p. ex. 20 °C", "Capítulo quatro, o Senhor Hall, por exemplo "
     "vinte graus Celsius"),
    ("ru", "Глава IV, т. е. № 5", "Глава четыре, то есть номер пять"),
    ("ru", "3 мая", "3 мая"),
    ("pt", "R$ 5,20", "R$ 5,20"),
    ("de", "2 + 2 = 4", "zwei + zwei = vier"),
    ("de", "44 v. Chr. Dann, 5 n. Chr., S. 45 ff., Kap. IV, Bd. 2, Hr. Hall, Äpfel usw. S. Hall",
     "vierundvierzig vor Christus. Dann, fünf nach Christus, Seite fünfundvierzig ff., Kapitel "
     "vier, Band zwei, Herr Hall, Äpfel und so weiter. S. Hall"),
    ("fr", "44 av. J.-C. et p. 45, chap. I, 5 p. 100, François Ier, la IIIe République, St-Jean",
     "quarante-quatre avant Jésus-Christ et page quarante-cinq, chapitre premier, cinq pour cent, "
     "François premier, la troisième République, Saint-Jean"),
    ("es", "44 a. C. y pág. 45, Cap. IV, Dña. Ana, ¿y Ud.? Con Ud. en los EE. UU. Luego",
     "cuarenta y cuatro antes de Cristo y página cuarenta y cinco, Capítulo cuatro, doña Ana, "
     "¿y usted? Con usted en los Estados Unidos. Luego"),
    ("it", "nel 44 a.C. e pag. 45, la Dott.ssa Rossi ecc. Poi", "nel quarantaquattro avanti Cristo "
     "e pagina quarantacinque, la Dottoressa Rossi eccetera. Poi"),
    ("pt", "44 a.C. e pág. 45", "quarenta e quatro antes de Cristo e página quarenta e cinco"),
    ("ru", "хлеб и т. д. Потом", "хлеб и так далее. Потом"),
    ("es", "23 libros, 200 páginas, 3,14, 5 €, 3.ª", "veintitrés libros, 200 páginas, tres coma "
     "uno cuatro, cinco euros, tercera"),
    ("it", "23 libri, 3,14, 1º", "ventitré libri, tre virgola uno quattro, primo"),
    ("pt", "23 livros, 2 casas, 5%", "vinte e três livros, 2 casas, cinco por cento"),
    ("ru", "5 книг, с 5 книгами, 100 %, в 1984 году", "пять книг, с 5 книгами, сто процентов, "
     "в 1984 году"),
    ("ja", "3人、1984年、5%、3.14。", "三人、千九百八十四年、五パーセント、三点一四。"),
    ("ko", "2024년 6월, 3명, 5%", "이천이십사년 6월, 3명, 오 퍼센트"),
    ("zh", "3个人, 1984年", "3个人, 1984年"),
    ("nl", "3 honden", "3 honden"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "written", "words"), OTHERS)
def test_other_languages_as_far_as_the_form_is_certain(
    language: str, written: str, words: str
) -> None:
    assert said(written, language) == words


@pytest.mark.parametrize("language", ["de", "fr", "es", "it", "pt", "ru", "ja", "ko", "zh"])
@pytest.mark.parametrize(
    "text", ["192.168.0.1", "2.13.0", "https://x.org/12/3", "a@b.org", "978-3-16-148410-0"]
)
def test_no_language_reads_addresses_as_numbers(language: str, text: str) -> None:
    assert said(text, language) == text


def test_all_of_it_can_be_left_to_the_voice(document: Callable[..., Document]) -> None:
    made = document("Mr. Hall had 3 dogs -- in 1984.")
    (as_said,) = plan(made).chunks
    (as_written,) = plan(made, PlanOptions(as_written=True)).chunks
    assert as_said.spoken == "Mister Hall had three dogs — in nineteen eighty-four."
    assert as_written.spoken == "Mr. Hall had 3 dogs — in 1984."
    assert as_said.text == as_written.text


def test_a_bare_numeral_is_a_number_in_a_heading_alone(document: Callable[..., Document]) -> None:
    chunks = plan(document("# I. The Storm\n\nI. So it began.\n\n# II\n\nOn.", "a.md")).chunks
    assert [chunk.spoken for chunk in chunks] == [
        "One. The Storm",
        "I. So it began.",
        "Two",
        "On.",
    ]


def test_a_bare_numeral_over_a_german_chapter_is_a_number(
    document: Callable[..., Document],
) -> None:
    text = "".join(
        f"{n}.\n\nDer Wärter ging mit der Laterne über die Mole.\n\n" for n in ("I", "II")
    )
    chunks = plan(document(text), PlanOptions(language="de")).chunks
    assert [chunk.spoken for chunk in chunks[::2]] == ["Eins.", "Zwei."]


def test_a_row_of_numbers_does_not_explode_into_one_long_chunk(
    document: Callable[..., Document],
) -> None:
    made = plan(document("so " + "987,654,321 and " * 30, "a.txt"))
    assert max(len(chunk.spoken) for chunk in made.chunks) < 450 + 120
    assert (
        " ".join(chunk.text for chunk in made.chunks) == ("so " + "987,654,321 and " * 30).strip()
    )


STRANGE = "0123459 .,:/-–%$£€°½#&IVXs'’amp()\nMNo"


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from(list(STRANGE)), max_size=60))
def test_no_text_is_too_strange_to_be_put_into_words(text: str) -> None:
    for language in ("en", "de", "ru", "ja"):
        words = said(text, language)
        assert words
        assert words == " ".join(words.split())


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Nd", "No", "Nl", "Cs"]), max_size=60))
def test_text_without_digits_signs_and_stops_is_not_touched(text: str) -> None:
    letters = [c for c in text if c.isalpha() or c == " "]
    quiet = "".join(c for c in letters if not (c.isascii() and c.isupper()))
    assert said(quiet) == (" ".join(quiet.split()) or "…")
