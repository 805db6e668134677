"""A turn: reads that are alike are handed on together, in order, and nothing is lost."""

import asyncio

from netcomp.net.turn import Turn
from netcomp.protocol.session import Session, State
from netcomp.roles import Kind, Message
from netcomp.wire.frames import FrameKind
from netcomp.wire.messages import vector_message
from netcomp.wire.reports import answer_frames
from support.sessions import BEGIN, FRAMES, SERVER, joined, session_in


def answer(content, round_=0):
    return answer_frames(
        round_, Message(Kind.VALUE, (memoryview(content),)), 1.0, 2.0, 3.0
    ).buffers[0]


def running():
    return session_in(SERVER, State.RUNNING)


def turned(play):
    """Let `play(turn)` happen on a loop; return what the turn handed on, by its turns."""
    handed = []

    async def run():
        turn = Turn(lambda layout, reads: handed.append((layout, reads)))
        play(turn)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(run())
    return handed


def test_answers_of_one_turn_come_together_with_who_said_them():
    def play(turn):
        for who in range(3):
            assert turn.keeps(who, running(), answer(bytes([who] * 5)))

    ((layout, reads),) = turned(play)
    assert [0, 1, 2] == [who for who, _, _ in reads]
    assert [bytes([who] * 5) for who in range(3)] == [
        bytes(one.parts[0]) for one in layout.chorus([data for _, data, _ in reads])
    ]
    times = [now for _, _, now in reads]
    assert sorted(times) == times


def test_lengths_that_differ_are_apart_and_each_is_there():
    """Coded payloads have as many lengths as workers, more than are remembered: none is lost."""
    sizes = [*range(50), 7, 7, 3]

    def play(turn):
        for who, size in enumerate(sizes):
            assert turn.keeps(who, running(), answer(bytes(size)))

    handed = turned(play)
    found = {who: layout.chorus([data])[0] for layout, reads in handed for who, data, _ in reads}
    assert sizes == [found[who].payload_bytes for who in range(len(sizes))]
    assert any(len(reads) > 1 for _, reads in handed)


def test_another_round_is_another_layout():
    """Bytes of the same length that say another round are never taken for this one's."""

    def play(turn):
        for who, round_ in enumerate((4, 5, 4)):
            assert turn.keeps(who, running(), answer(b"same", round_))

    rounds = sorted((who, layout.round) for layout, reads in turned(play) for who, _, _ in reads)
    assert [(0, 4), (1, 5), (2, 4)] == rounds


def test_every_session_counts_what_was_kept():
    """A session that was never asked to parse has the counts of one that was."""
    sessions, plain = [running() for _ in range(3)], running()
    data = answer(b"12345678")

    def play(turn):
        for who, session in enumerate(sessions):
            assert turn.keeps(who, session, data)

    turned(play)
    assert 2 == len(list(plain.feed(data)))
    assert [plain.received_bytes] * 3 == [session.received_bytes for session in sessions]


def test_what_a_session_may_not_hear_now_is_left_to_it():
    """A state that lets nothing of it in, smaller limits, or a frame that has begun."""
    small = Session(SERVER)
    for kind in (FrameKind.HELLO, FrameKind.WELCOME, FrameKind.READY, FrameKind.BEGIN):
        if kind in (FrameKind.WELCOME, FrameKind.BEGIN):
            if kind is FrameKind.BEGIN:
                small.agree(BEGIN.model_copy(update={"max_up": 8}))
            small.send(FRAMES[kind])
        else:
            list(small.feed(joined(FRAMES[kind])))
    begun = running()
    list(begun.feed(answer(b"other")[:30]))
    refused = [small, begun, Session(SERVER), session_in(SERVER, State.PREPARED)]

    def play(turn):
        data = answer(b"12345678")
        before = [dict(session.received_bytes) for session in refused]
        assert [False] * 4 == [turn.keeps(0, session, data) for session in refused]
        assert turn.keeps(1, running(), data)
        assert [False] * 4 == [turn.keeps(0, session, data) for session in refused]
        assert before == [dict(session.received_bytes) for session in refused]

    assert [1] == [len(reads) for _, reads in turned(play)]


def test_a_turn_may_be_over_before_its_time():
    """Who has something else to say first lets go of what is kept; the rest is another turn."""
    seen = []

    def play(turn):
        turn.keeps("a", running(), answer(b"1"))
        turn.over()
        seen.append("between")
        turn.keeps("b", running(), answer(b"2"))

    handed = turned(play)
    assert ["a", "b"] == [reads[0][0] for _, reads in handed]
    assert ["between"] == seen


def test_the_same_bytes_are_held_once():
    """A broadcast that many slots of a process read takes the memory of one."""

    def play(turn):
        for who in range(4):
            assert turn.keeps(who, running(), answer(b"to all", who // 2))

    held = {who: data for _, reads in turned(play) for who, data, _ in reads}
    assert held[0] is held[1]
    assert held[2] is held[3]
    assert held[0] != held[2]


def test_a_bug_in_taking_one_layout_loses_no_other():
    """The loop is told of it, as of any callback's; what else was read is handed on."""
    handed, complaints = [], []

    def take(layout, reads):
        if layout.round == 1:
            raise ZeroDivisionError
        handed.extend(who for who, _, _ in reads)

    async def run():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context["exception"]))
        turn = Turn(take)
        for who, round_ in enumerate((0, 1, 2, 1, 2)):
            assert turn.keeps(who, running(), answer(bytes(round_), round_))
        await asyncio.sleep(0)
        assert turn.keeps("later", running(), answer(bytes(2), 2))
        await asyncio.sleep(0)

    asyncio.run(run())
    assert [0, 2, 4, "later"] == handed
    assert [ZeroDivisionError] == [type(error) for error in complaints]


def test_a_long_message_is_no_read_of_a_turn():
    """It comes in pieces: none of them is a whole one."""
    data = joined(
        vector_message(FrameKind.UPLINK, 0, Message(Kind.FULL, (memoryview(bytes(30_000)),)))
    )

    def play(turn):
        assert not turn.keeps(0, running(), data[:20_000])

    assert [] == turned(play)
