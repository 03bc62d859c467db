"""Short documents with headings, as a person might bring them: what tests of the whole job upload."""

from pathlib import Path

_TEXTS = {
    "bicycles": """
# Bicycle library
## Borrowing a bicycle
Anyone over sixteen with a town card may borrow a bicycle for up to nine days. The first loan needs a photograph and
the signature of a neighbour. Cargo bicycles are lent for three days only, because there are just four of them.
## Bringing it back
Return the bicycle to the shed behind the station before eight in the evening. A late return costs two tokens for each
day that has begun. Whoever brings a bicycle back washed gets one token as a thank-you from the caretaker.
## Punctures and repairs
A puncture is mended free of charge at the workshop on Mill Lane. Larger damage is judged by the mechanic, who writes
an estimate within two working days. Broken spokes count as wear, and the borrower never pays for them.
## Winter storage
From November to February the light frames hang in the dry loft. Batteries are taken out and kept at fifteen degrees.
Volunteers oil every chain on the first Saturday of March, before lending starts again.
""",
    "garden": """
# Community garden
## Getting a plot
Plots are given out by lottery on the last Sunday of January. Each household may hold one plot of forty square metres.
A waiting list exists for latecomers, and names on it are kept for two seasons before they must be renewed.
## Watering
Rain barrels stand at the end of every second row. Hoses are allowed only before nine in the morning during a dry spell.
The pump is locked on Mondays, when the well is left to recover.
## Compost
Kitchen scraps go into the round bins, and branches thinner than a thumb go into the shredder pile. Meat and bread are
never composted, since they bring rats. Finished compost is shared out in April, two barrows for each plot.
## Tools and shed
The shed is opened with the key code that changes every quarter. Spades are cleaned with the wire brush before they are
hung up. A broken tool is put into the red crate, with a note that says what happened to it.
""",
    "kitchen": """
# Shared kitchen
## Booking the kitchen
The kitchen is booked in blocks of four hours on the board by the entrance. Sunday evenings are reserved for the soup
group. A booking that nobody uses for thirty minutes is given to the next person who asks.
## Ovens and stoves
The large oven needs twenty minutes to reach baking heat. Gas stoves are lit by the steward only, who keeps the lighter.
After use, the trays are scrubbed with soda and left to dry on the lower rack.
## Food storage
Every box carries a name and a date, written with the blue pencil. The cold room is emptied of unmarked food on Friday
morning. Flour and sugar lie in tin drums, because mice once ate through forty paper bags.
## Allergies
Nuts are prepared at the separate table near the window. Whoever cooks for others lists all ingredients on the slate.
The emergency pen for allergic shock hangs beside the fire blanket, and two stewards know how to use it.
""",
    "library": """
# Reading room
## Opening hours
The reading room is open from ten to seven, and until nine on Thursdays. It is closed for stocktaking in the second week
of August. Members with a night key may enter at any hour, but they may not bring guests.
## Rare books
Maps and letters older than a century are read under supervision in the oak room. Pencils are allowed there and pens are
not. Gloves are needed for photographs only, since paper is safer in clean bare hands.
## Copies and scans
The scanner on the gallery makes copies free of charge up to sixty pages a month. Further pages cost a small fee that
pays for the lamp. Scans of whole books are refused for as long as the author has rights in them.
## Lost items
A lost book is replaced by the same edition or by its price in the year of purchase. Found umbrellas are kept under the
stairs for six weeks. After that they are lent to visitors on rainy days.
""",
    "choir": """
# Town choir
## Rehearsals
The choir rehearses on Tuesday evenings in the old gymnasium, and the basses come half an hour early. New singers listen
for two evenings before they sing along. Three absences in a row are explained to the section leader.
## Sheet music
Scores are lent against a deposit and returned within a week after the concert. Notes are made with soft pencil, so that
they can be rubbed out. The archive holds nine hundred works, sorted by composer in green folders.
## Concert dress
Singers wear dark blue from head to foot, without jewellery that rattles. Scarves in the colours of the town are lent by
the wardrobe master. Shoes with hard soles are left at home, because the stage floor echoes.
## Travelling
On tours the choir sleeps in schools and pays for its meals together. A doctor travels with every group larger than
thirty. Instruments fly in a van of their own, packed by the percussion players.
""",
}
_PAGE = """<html><head><title>Swimming lake</title></head><body><h1>Swimming lake</h1>
<h2>Safety</h2><p>Lifeguards watch the southern shore from noon until six. A yellow flag forbids swimming beyond the wooden
raft, and a red flag closes the whole lake. Children under seven wear armbands with a whistle.</p>
<h2>Boats</h2><p>Rowing boats are rented by the hour at the boathouse, with a life vest for each passenger. Motor boats are
banned, except the ferry that crosses to the island twice a day. Anchors may not be dropped on the reed beds.</p>
<h2>Water quality</h2><p>Samples are taken every second Wednesday by the health office. The newest result hangs beside the
ice cream stall. After heavy thunderstorms bathing is discouraged for two days, since the sewers may overflow.</p>
<h2>Fishing</h2><p>A fishing licence is sold at the post office and is valid for one season. Pike below fifty centimetres
are put back into the lake. Night fishing is allowed from the eastern jetty only, without lamps.</p></body></html>"""


def write_handbook(folder: Path) -> list[Path]:
    """Write the documents into `folder`; returns their paths: ten Markdown files and one web page."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {"lake.html": _PAGE}
    for name, text in _TEXTS.items():
        _, *sections = text.strip().split("\n## ")
        for part in (1, 2):
            own = sections[2 * part - 2 : 2 * part]
            title = " and ".join(section.partition("\n")[0] for section in own)
            contents[f"{name}-{part}.md"] = f"# {title}" + "".join(f"\n\n## {section}" for section in own) + "\n"
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")
    return [folder / name for name in contents]
