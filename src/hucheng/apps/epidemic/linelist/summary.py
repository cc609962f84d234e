"""The report of a cleaning as text."""

from __future__ import annotations

from typing import Any

SHOWN = 12


def text(report: dict[str, Any]) -> str:
    """The report in lines that one can read in a minute."""
    rows = report["rows"]
    lines = [f"{rows['came']} rows came, {rows['kept']} were kept, {rows['rejected']} rejected."]
    lines += [f"  rejected: {reason}: {many}" for reason, many in report["rejected"].items()]
    lines.append("")
    for name, told in report["columns"].items():
        lines.append(_column(name, told))
        for one in told.get("values", [])[:SHOWN]:
            means = "not known, left empty" if one["means"] is None else one["means"]
            lines.append(f"    “{one['value']}” → {means} ({one['rows']})")
        if (more := len(told.get("values", [])) - SHOWN) > 0:
            lines.append(f"    … and {more} more values, all in the JSON report")
        if told.get("such_as"):
            lines.append(f"    not read, such as: {', '.join(map(str, told['such_as']))}")
    if report["passed_through"]:
        lines.append(f"passed through as they came: {', '.join(report['passed_through'])}")
    lines.append("")
    lines.append(f"duplicates (marked, all kept): {sum(report['duplicates'].values())}")
    lines += [f"  {kind}: {many}" for kind, many in report["duplicates"].items()]
    lines.append(f"rows with problems: {report['rows_with_problems']}")
    lines += [f"  {kind}: {many}" for kind, many in report["problems"].items()]
    return "\n".join(lines) + "\n"


def _column(name: str, told: dict[str, Any]) -> str:
    parts = [f"{name} ← {told['column'] or 'made'}"]
    if "read" in told:
        parts.append(f"{told['read']} read")
    if told.get("forms"):
        parts.append(", ".join(f"{form} {many}" for form, many in told["forms"].items()))
    if told.get("order"):
        parts.append(told["order"])
    if told.get("year_taken_from_elsewhere"):
        parts.append(f"{told['year_taken_from_elsewhere']} without a year: taken from other dates")
    if told.get("not_read"):
        parts.append(f"{told['not_read']} not read")
    if told.get("not_known"):
        parts.append(f"{told['not_known']} not known")
    if told.get("from_date_of_birth"):
        parts.append(f"{told['from_date_of_birth']} from the date of birth")
    return ": ".join([parts[0], "; ".join(parts[1:])]) if len(parts) > 1 else parts[0]
