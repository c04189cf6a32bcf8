"""English words that say nothing about what a group of texts has in common."""

from __future__ import annotations

_WORDS = """
about above across after again against all almost alone along already also although always among and another any
anyone anything are aren around away back based because been before being below between both but came can cannot
come could did didn does doesn doing don done down during each either else enough especially etc even ever every
everything few for from further gave get gets give given gives goes going gone got had has hasn have haven
having her here hers herself him himself his how however indeed instead into isn its itself just keep let like
made make makes making many may maybe mean means might more most much must neither never next none nor not
nothing now off often once one ones only onto other others otherwise our ours out over own per perhaps put quite
rather really same seem seems several shall she should shouldn since some someone something soon still such take
taken takes than that the their theirs them then there therefore these they thing things this those though three
through thus together too toward towards two under unless until upon use used useful uses using usually various
very via was wasn way well went were weren what when where whether which while who whole whom whose why will
with within without won would wouldn yes yet you your yours yourself
"""
STOP_WORDS = frozenset(_WORDS.split())
