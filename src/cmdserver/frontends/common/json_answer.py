"""An answer as JSON that is written as its client takes it."""

from twisted.internet.defer import Deferred

from cmdserver.core.output import Answer
from cmdserver.frontends.common import rendering
from cmdserver.frontends.common.text_sink import Output


class _JSONAnswer:
    """The producer of an answer as JSON, which is made as the client takes it."""

    def __init__(self, answer: Answer, output: Output) -> None:
        self._answer = answer
        self._pieces = rendering.answer_json_pieces(answer)
        self._output = output
        self._is_paused = False
        self._written: Deferred[Answer] = Deferred()

    def begin(self) -> Deferred[Answer]:
        """Write as much as the client takes. The Deferred fires when all is written; to cancel it stops that."""
        self._output.follow(self)
        self._go_on()
        return self._written

    def pauseProducing(self) -> None:
        self._is_paused = True

    def resumeProducing(self) -> None:
        self._is_paused = False
        self._go_on()

    def _go_on(self) -> None:
        while not (self._is_paused or self._written.called):
            piece = next(self._pieces, None)
            if piece is not None:
                self._output.write(piece)
            else:
                self._output.follow(None)
                self._written.callback(self._answer)


def write_json(answer: Answer, output: Output) -> Deferred[Answer]:
    """Write an answer; the Deferred fires when all is written, and to cancel it stops that."""
    return _JSONAnswer(answer, output).begin()
