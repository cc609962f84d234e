"""Which column of a line list holds what: the names that outbreak teams use, in Chinese and English."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from hucheng.errors import BadRequest

STANDARD: dict[str, tuple[str, ...]] = {
    "case_id": ("case_id", "caseid", "case_no", "case_number", "id", "no",
                "病例编号", "病例号", "编号", "序号", "卡片编号"),
    "person_id": ("person_id", "patient_id", "national_id", "id_number", "id_card", "passport", "身份证", "身份证号",
                  "身份证号码", "证件号", "证件号码", "有效证件号"),
    "name": ("name", "full_name", "patient_name", "姓名", "患者姓名", "病人姓名"),
    "date_birth": ("date_birth", "birth_date", "date_of_birth", "dob", "birthday", "born",
                   "出生日期", "出生年月", "生日"),
    "age_years": ("age_years", "age", "age_yrs", "age_in_years", "年龄", "年龄岁", "岁数"),
    "sex": ("sex", "gender", "性别"),
    "place": ("place", "location", "district", "county", "city", "residence", "address", "area", "region",
              "地区", "现住址", "居住地", "住址", "区县", "城市", "现住地址", "所属地区"),
    "date_exposure": ("date_exposure", "exposure_date", "date_of_exposure", "date_infection", "infection_date",
                      "暴露日期", "接触日期", "感染日期"),
    "date_onset": ("date_onset", "onset_date", "onset", "date_of_onset", "symptom_onset", "date_symptom_onset",
                   "symptom_onset_date", "date_onset_symptoms",
                   "发病日期", "发病时间", "发病", "起病日期", "症状出现日期"),
    "date_hospitalisation": ("date_hospitalisation", "date_hospitalization", "date_admission", "admission_date",
                             "hospitalisation_date", "入院日期", "住院日期", "入院时间"),
    "date_diagnosis": ("date_diagnosis", "date_confirmation", "date_confirmed", "confirmation_date", "diagnosis_date",
                       "确诊日期", "诊断日期", "确诊时间", "诊断时间"),
    "date_report": ("date_report", "report_date", "date_reported", "date_of_report", "reported", "notification_date",
                    "date_notification", "报告日期", "报告时间", "上报日期", "上报时间", "报告卡录入时间", "录入日期"),
    "date_outcome": ("date_outcome", "outcome_date", "date_of_outcome", "discharge_date", "date_discharge", "转归日期",
                     "结局日期", "出院日期"),
    "date_death": ("date_death", "death_date", "date_of_death", "死亡日期", "死亡时间"),
    "outcome": ("outcome", "status", "final_outcome", "转归", "结局", "病情转归", "治疗结果"),
    "classification": ("classification", "case_classification", "case_definition", "case_class", "case_type",
                       "case_status", "病例分类", "病例类型", "诊断类型", "诊断分类"),
}  # fmt: skip
"""Name in the answer → names it goes by; those of the WHO's outbreak tool kit where it has one."""
DATES = tuple(name for name in STANDARD if name.startswith("date_"))
OURS = ("row", "problems", "duplicate_of", "duplicate_kind")
"""Columns that cleaning adds."""


def plain(heading: str) -> str:
    """A heading without case, width, units in brackets and punctuation.

    >>> plain(" Date of Onset (dd/mm/yyyy) "), plain("年龄（岁）")
    ('date_of_onset', '年龄')
    """
    text = unicodedata.normalize("NFKC", heading).strip().lower()
    text = re.sub(r"[（(\[].*?[)）\]]", "", text)
    return re.sub(r"[\s\-_./:*#]+", "_", text).strip("_")


def mapping(there: Sequence[str], told: Mapping[str, str] | None = None) -> dict[str, str]:
    """Column of the file → name in the answer, for those that are known; the first of several that mean the same.

    Raises BadRequest for a column that is told but not there, a name that is none, and where nothing is known at all.
    """
    found: dict[str, str] = {}
    for name, column in (told or {}).items():
        if name not in STANDARD:
            raise BadRequest(f"there is no standard column {name!r}", mend=f"there are: {', '.join(STANDARD)}")
        if column not in there:
            raise BadRequest(f"there is no column “{column}”", mend=f"there are: {', '.join(there)}")
        found[column] = name
    goes_by = {plain(one): name for name, names in STANDARD.items() for one in reversed(names)}
    for column in there:
        known = goes_by.get(plain(column))
        if known is not None and column not in found and known not in found.values():
            found[column] = known
    if not found:
        raise BadRequest(
            "no column of this table is known",
            where=f"columns: {', '.join(there)}",
            mend="say what they are, such as --map date_onset=COLUMN",
        )
    return found
