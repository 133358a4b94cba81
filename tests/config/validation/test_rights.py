"""Rights that commands are meant to have and will not have."""

import unittest
from collections.abc import Sequence

from cmdserver.config.executables import LentRights
from cmdserver.config.validation.rights import missing_rights
from cmdserver.core.model import Controls
from tests.doubles import FakeHost

_USERS = {"root": "root", "daemon": "adm", "operator": "disk"}
_ROOT, _DAEMON, _OPERATOR = 1000, 1001, 1002


class Numbered(FakeHost):
    """A host whose root has the number that root has."""

    def user_id(self, user: str) -> int | None:
        number = super().user_id(user)
        return 0 if number == _ROOT else number


class MissingRightsTests(unittest.TestCase):
    def missing(
        self, run: Sequence[str], lent: LentRights | None = None, uid: int | None = None, gid: int | None = None
    ) -> list[str]:
        """Look at a command that daemon:adm runs unless told otherwise."""
        host = Numbered(users=_USERS, lent_rights={"/x": lent or LentRights()})
        return missing_rights(run, "/x", Controls(uid=uid, gid=gid), host)

    def test_nothing(self) -> None:
        """A program that lends nothing misses nothing."""
        self.assertEqual([], self.missing(["df", "sudo"]))

    def test_set_user_id(self) -> None:
        """Unless it runs as its owner anyway, or as root, who has all rights."""
        expected = "/x is set-user-ID and expects the rights of operator, which no command gets here (no_new_privs):"
        of_operator = LentRights(uid=_OPERATOR)
        self.assertEqual([f'{expected} say user = "operator"'], self.missing(["x"], of_operator))
        self.assertEqual([], self.missing(["x"], of_operator, uid=_OPERATOR))
        self.assertEqual([f'{expected} say user = "operator"'], self.missing(["x"], of_operator, uid=0))
        self.assertEqual([], self.missing(["x"], LentRights(uid=0), uid=0))
        self.assertEqual(1, len(self.missing(["x"], LentRights(uid=0))))
        self.assertEqual(1, len(self.missing(["x"], LentRights(uid=_DAEMON), uid=_OPERATOR)))

    def test_set_group_id(self) -> None:
        """The same for its group."""
        of_disk = LentRights(gid=2002)
        expected = "/x is set-group-ID and expects the rights of disk, which no command gets here (no_new_privs):"
        self.assertEqual([f'{expected} say group = "disk"'], self.missing(["x"], of_disk))
        self.assertEqual([], self.missing(["x"], of_disk, gid=2002))
        self.assertEqual([], self.missing(["x"], of_disk, uid=0))

    def test_capabilities(self) -> None:
        """Only root has them anyway."""
        (said,) = self.missing(["x"], LentRights(has_capabilities=True))
        self.assertIn("/x has file capabilities, which no command gets here (no_new_privs)", said)
        self.assertEqual([], self.missing(["x"], LentRights(has_capabilities=True), uid=0))

    def test_programs_that_give_rights(self) -> None:
        """Whoever names one is told what to say instead, also if it is not installed here as it is there."""
        for name in ("sudo", "/usr/bin/sudo", "doas", "pkexec", "su"):
            for lent in (LentRights(), LentRights(uid=0)):
                with self.subTest(name=name, lent=lent):
                    (said,) = self.missing([name, "systemctl"], lent)
                    self.assertEqual(
                        f"{name} gives privileges, which no command gets here (no_new_privs): leave it out of run,"
                        ' and say user = "root", or whoever is meant',
                        said,
                    )
        self.assertEqual([], self.missing(["sudo", "-u", "www", "x"], LentRights(uid=0), uid=0))

    def test_programs_that_run_them(self) -> None:
        """They may stand behind others, and in what a shell is told; elsewhere their names are words like others."""
        for run, count in (
            (["env", "A=b", "sudo", "x"], 1),
            (["timeout", "5", "/usr/bin/doas", "x"], 1),
            (["sh", "-c", "cd /; sudo x && sudo y"], 1),
            (["bash", "-c", "x | (su operator -c y) && $(pkexec z)"], 2),
            (["sh", "-c", "cat /etc/sudoers /var/log/sudo.log"], 0),
            (["journalctl", "-t", "sudo"], 0),
            (["grep", "su"], 0),
        ):
            with self.subTest(run):
                self.assertEqual(count, len(self.missing(run)))
                self.assertEqual([], self.missing(run, uid=0))
