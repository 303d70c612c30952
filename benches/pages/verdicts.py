"""Who is right where the pictures differ: what a person decided, in verdicts.json, and what follows from the pixels.

A decision that is not against tintype holds for the picture that was looked at, by a coarse trace of it: a picture that looks
otherwise is undecided again.
"""

import json
import os

import compare

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "verdicts.json")


def load():
    try:
        with open(FILE, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def judge(row, known, same):
    """right, wrong or undecided, and why."""
    verdict = known.get(row["page"], {}).get(row["mode"])
    if row["tintype"].get("error"):
        if row["reference"].get("error"):
            return "right", "neither has a picture"
        if verdict and verdict["right"] in ("tintype", "both") and "none" in verdict["seen"]:
            return "right", verdict["why"]
        return "wrong", row["tintype"]["error"]
    if row["share"] is not None and row["share"] < same:
        return "right", "as the reference"
    if row["late_share"] is not None and row["late_share"] < same:
        return "right", "as the reference some seconds later"
    if not verdict:
        return "undecided", row["reference"].get("error", "")
    if verdict["right"] == "reference":
        return "wrong", verdict["why"]
    if any(compare.alike(row["trace"], seen) for seen in verdict["seen"]):
        return "right", verdict["why"]
    return "undecided", f"looks otherwise than when it was decided: {verdict['why']}"


def decide(results, names, right, mode, why):
    """Notes a decision for pages, with the traces of the pictures of the last run."""
    if right not in ("tintype", "reference", "both", "forget"):
        raise SystemExit("RIGHT is tintype, reference, both or forget")
    with open(results, encoding="utf-8") as file:
        rows = json.load(file)["rows"]
    known = load()
    for name in names:
        for one in ("viewport", "full") if mode == "all" else mode.split(","):
            found = [row for row in rows if row["page"] == name and row["mode"] == one]
            # Where the pixels agree there is nothing to decide.
            found = [row for row in found if row["judgement"] != "right" or row["why"] not in ("as the reference", "as the reference some seconds later")]
            if right == "forget":
                known.get(name, {}).pop(one, None)
            elif found:
                before = known.get(name, {}).get(one, {})
                seen = before.get("seen", []) if before.get("right") == right else []
                for row in found:
                    trace = row.get("trace", "none")
                    if right != "reference" and not any(compare.alike(trace, other) for other in seen):
                        seen.append(trace)
                known.setdefault(name, {})[one] = {"right": right, "why": why, "seen": seen}
                print(f"{name} {one}: {right}")
    lines = []
    for name in sorted(name for name in known if known[name]):
        modes = ",\n".join(f"  {json.dumps(mode)}: {json.dumps(known[name][mode])}" for mode in sorted(known[name]))
        lines.append(f" {json.dumps(name)}: {{\n{modes} }}")
    with open(FILE, "w", encoding="utf-8") as file:
        file.write("{\n" + ",\n".join(lines) + "\n}\n")
