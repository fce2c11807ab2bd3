"""What plans hypothesis draws: few lines, so that much of what they do meets something else."""

from hypothesis import strategies as st

from tests.support.model.plans import Again, Child, Do, Fail, Hear, Loop, Nap, Note, Side

HOURS = st.integers(1, 3)

do = st.just(Do())
naps = st.builds(Nap, HOURS)
hears = st.builds(Hear, st.sampled_from([(), ("go",), ("go", "stop")]), st.none() | HOURS)
short_plans = st.lists(do | st.sampled_from([Note(), Fail()]) | naps | hears, min_size=1, max_size=2).map(tuple)
members = st.lists(st.none() | short_plans, min_size=1, max_size=3).map(tuple)
policies = st.sampled_from(["abandon", "cancel", "terminate"])
lines = st.one_of(
    do,
    st.sampled_from([Do(), Note()]),
    naps,
    hears,
    st.builds(Side, members, st.sampled_from(["all", "failing fast", "race"])),
    st.builds(Child, short_plans, policies, st.booleans()),
    st.builds(Loop, st.integers(1, 3), HOURS),
    st.just(Again()),
)
plans = st.lists(lines, min_size=2, max_size=5).map(tuple)
