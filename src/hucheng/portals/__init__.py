"""The shell of the site and the pages of no app: sign-in, resident, family, desk, auditor, public, help, API.

May touch: the services it is handed (`services.Services`), which ask the steward; templates, styles and translations.
Never: a disk, a ledger or a lake; an app by name (apps hang their panels and pages in); a decision about who may see
what (that is the gate's; a page only asks, and shows the refusal).
"""
