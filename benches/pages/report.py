"""What a run found, as tables in Markdown and as an HTML page with the pictures side by side."""

import html as escape
import os
import statistics

import compare


def thumbnails(folder, key, pictures):
    """Writes small pictures (ours, the reference, the difference, the late reference); gives their names."""
    os.makedirs(folder, exist_ok=True)
    ours, first, second = pictures
    made = compare.side_by_side(ours, first)
    if second is not None:
        made.append(compare.side_by_side(second, None)[0])
    names = []
    for kind, image in zip(("ours", "reference", "difference", "late"), made):
        name = None
        if image is not None:
            name = f"{key}.{kind}.webp"
            image.save(os.path.join(folder, name), quality=80)
        names.append(name)
    return names


def nearest(row):
    shares = [share for share in (row["share"], row["late_share"]) if share is not None]
    return min(shares) if shares else None


def counts(rows):
    """One line of the table."""
    pictures = [row for row in rows if not row["tintype"].get("error")]
    with_reference = [row for row in pictures if row["share"] is not None]
    pairs = [row for row in pictures if "same_bytes" in row["tintype"]]
    times = sorted(row["tintype"]["ms"] for row in rows) or [0]
    theirs = sorted(row["reference"]["ms"] for row in rows if "ms" in row["reference"]) or [0]
    return {
        "pages": len(rows),
        "pictures": len(pictures),
        "equal": sum(row["share"] == 0 for row in with_reference),
        "below 1 %": sum(0 < row["share"] < 0.01 for row in with_reference),
        "1 to 5 %": sum(0.01 <= row["share"] < 0.05 for row in with_reference),
        "5 % and more": sum(row["share"] >= 0.05 for row in with_reference),
        "right": sum(row["judgement"] == "right" for row in rows),
        "wrong": sum(row["judgement"] == "wrong" for row in rows),
        "undecided": sum(row["judgement"] == "undecided" for row in rows),
        "same bytes": f"{sum(row['tintype']['same_bytes'] for row in pairs)} of {len(pairs)}" if pairs else "–",
        "median ms": f"{statistics.median(times):.0f} / {statistics.median(theirs):.0f}",
    }


def table(head, lines):
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(out + ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines])


def markdown(rows, speed):
    groups = []
    for latency in sorted({row["latency"] for row in rows}):
        for mode in ("viewport", "full"):
            part = [row for row in rows if row["latency"] == latency and row["mode"] == mode]
            if part:
                groups.append((f"{mode}, {latency} ms", part))
                scripted = [row for row in part if "script" in row["tags"]]
                if scripted and len(scripted) < len(part):
                    groups.append((f"{mode}, {latency} ms, by script", scripted))
    lines = [[name, *counts(part).values()] for name, part in groups]
    text = table(["", *counts(rows)], lines) + "\n\n"
    text += "Median ms: tintype / Playwright, while other captures ran. Same bytes: of two captures in a row.\n"
    if speed:
        text += "\n" + table(
            ["in turns, one at a time", "captures", "median ms", "p95 ms", "CPU ms", "failed"],
            [[side, s["captures"], f"{s['median_ms']:.0f}", f"{s['p95_ms']:.0f}", f"{s['cpu_ms']:.0f}", s["failed"]] for side, s in speed.items()],
        ) + "\n"
    for judgement in ("wrong", "undecided"):
        found = [row for row in rows if row["judgement"] == judgement]
        if found:
            text += f"\n{judgement.capitalize()}:\n\n"
            for row in sorted(found, key=lambda row: -(nearest(row) if nearest(row) is not None else 2)):
                share = nearest(row)
                text += f"- {row['page']}, {row['mode']}, {row['latency']} ms: {'no picture' if share is None else f'{share * 100:.1f} %'}. {row['why']}\n"
    varying = [row for row in rows if row["tintype"].get("same_bytes") is False]
    if varying:
        text += "\nNot the same bytes twice:\n\n"
        for row in varying:
            again = row["tintype"].get("again_share")
            text += f"- {row['page']}, {row['mode']}, {row['latency']} ms" + ("" if again is None else f": {again * 100:.2f} % beyond rounding") + "\n"
    return text


STYLE = """
body { font: 14px/1.4 sans-serif; margin: 24px; color: #222 } table { border-collapse: collapse } td, th { border: 1px solid #ccc; padding: 3px 8px }
section { border-top: 1px solid #ccc; padding: 12px 0 } h2 { font-size: 16px; margin: 0 0 6px } .row { display: flex; gap: 12px; align-items: flex-start }
figure { margin: 0 } figcaption { color: #666; font-size: 12px } img { border: 1px solid #bbb; max-width: 360px } .wrong { color: #b00 } .undecided { color: #a60 }
.right { color: #070 } pre { background: #f6f6f6; padding: 10px; overflow: auto }
"""


def html(path, rows, text, references):
    here = os.path.dirname(path)

    def figure(row, kind, name):
        if not name:
            return f"<figure><figcaption>{kind}: none</figcaption></figure>"
        key = f"{row['page']}.{row['mode']}.{row['latency']}"
        whole = {
            "tintype": f"pictures/{key}.png",
            "reference": os.path.relpath(os.path.join(references, key + ".png"), here),
            "later": os.path.relpath(os.path.join(references, key + ".late.png"), here),
        }.get(kind, f"thumbs/{name}")
        return f'<figure><a href="{escape.escape(whole)}"><img loading="lazy" src="thumbs/{escape.escape(name)}" alt=""></a><figcaption>{kind}</figcaption></figure>'

    out = [f"<!doctype html><meta charset='utf-8'><title>Captures of real pages</title><style>{STYLE}</style><h1>Captures of real pages</h1>"]
    out.append(f"<pre>{escape.escape(text)}</pre>")
    rank = {"wrong": 0, "undecided": 1, "right": 2}
    shown = [row for row in rows if row.get("thumbs")]
    shown.sort(key=lambda row: (rank[row["judgement"]], -(nearest(row) if nearest(row) is not None else 2)))
    for row in shown:
        share = "–" if row["share"] is None else f"{row['share'] * 100:.2f} %"
        late = "–" if row["late_share"] is None else f"{row['late_share'] * 100:.2f} %"
        moved = "–" if row["reference_moved"] is None else f"{row['reference_moved'] * 100:.2f} %"
        notes = " · ".join(
            str(one)
            for one in (
                row["tintype"].get("x-capture"), row["tintype"].get("error"), row["reference"].get("error"), row["why"],
                f"{row['tintype']['ms']:.0f} ms", "cut" if row["cut"] else None, None if row["tintype"].get("same_bytes", True) else "not the same bytes twice",
            )
            if one
        )
        out.append(
            f"<section><h2>{escape.escape(row['page'])}, {row['mode']}, {row['latency']} ms: <span class='{row['judgement']}'>{row['judgement']}</span>, {share}"
            f" (later {late}; the reference itself moved {moved})</h2><p>{escape.escape(notes)}</p><div class='row'>"
        )
        out += [figure(row, kind, name) for kind, name in zip(("tintype", "reference", "difference", "later"), row["thumbs"])]
        out.append("</div></section>")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out))
