# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian package on the Debian that it is for: installed, upgraded, removed, purged."""

import os
import subprocess

import labcase

TOP = os.path.join(labcase.HERE, "..", "..")


def build(lab, version):
    result = subprocess.run(
        [os.path.join(TOP, ".ci", "build-deb"), lab.share, lab.build], capture_output=True, text=True, check=False,
        env=dict(os.environ, PACKAGE_VERSION=version),
    )  # fmt: skip
    if result.returncode != 0:
        raise labcase.LabError(result.stdout + result.stderr)
    return "/lab/" + os.path.basename(result.stdout.strip().splitlines()[-1])


def remove_unpackaged(lab):
    """What the lab put there by hand goes, so that the package stands alone."""
    lab.run("systemctl stop meshcored.service; cd /lab/root && find . -type f -o -type l | sed 's|^.|/|' | xargs rm -f; "
            "rm -rf /etc/meshcored /var/lib/meshcored; systemctl daemon-reload; "
            "userdel meshcored 2>/dev/null; groupdel meshcore 2>/dev/null; :")  # fmt: skip


def case_life(lab):
    """Installed it runs, an upgrade restarts it and keeps the store and the changed configuration, removal stops it, and
    a purge leaves nothing but the user."""
    first, second = build(lab, "0.1.0-1"), build(lab, "0.1.0-2")
    remove_unpackaged(lab)
    try:
        text = lab.run(f"dpkg -i {first} 2>&1", timeout=120)
        assert "rror" not in text and "arning" not in text, text
        assert lab.run("systemctl is-enabled meshcored.service").strip() == "enabled"
        assert lab.run("systemctl is-active meshcored.service").strip() == "active"
        assert lab.run("meshcorectl --version").startswith("meshcorectl ")
        lab.run("useradd -M packager -G meshcore")
        assert "0.1" in lab.run("setpriv --reuid=packager --regid=packager --init-groups busctl get-property "
                                "org.meshcored1 /org/meshcored1 org.meshcored1.Manager Version")  # fmt: skip

        lab.run("echo '# mine' >>/etc/meshcored/meshcored.conf")
        pid = lab.run("systemctl show -P MainPID meshcored.service")
        history = lab.run("stat -c %i /var/lib/meshcored/store.db")
        text = lab.run(f"dpkg -i {second} 2>&1 </dev/null", timeout=120)
        assert "rror" not in text, text
        assert lab.run("systemctl is-active meshcored.service").strip() == "active"
        assert lab.run("systemctl show -P MainPID meshcored.service") != pid
        assert lab.run("stat -c %i /var/lib/meshcored/store.db") == history
        assert "# mine" in lab.run("cat /etc/meshcored/meshcored.conf")
        changed = [line.split()[-1] for line in lab.run("dpkg --verify meshcored", check=False).splitlines()]
        # the lab's dpkg leaves documentation out
        changed = [path for path in changed if not path.startswith(("/usr/share/doc/", "/usr/share/man/"))]
        assert changed == ["/etc/meshcored/meshcored.conf"], changed

        lab.run("dpkg -r meshcored", timeout=120)
        assert lab.run("systemctl is-active meshcored.service || :").strip() == "inactive"
        assert lab.run("ls /var/lib/meshcored/store.db /etc/meshcored/meshcored.conf").count("\n") == 2
        lab.run("dpkg -P meshcored", timeout=120)
        left = lab.run("find / -xdev '(' -path /proc -o -path /sys -o -path /lab -o -path /var/log -o -path /tmp ')' -prune "
                       "-o -name '*meshcore*' -print")  # fmt: skip
        assert left == "", left
        assert lab.run("id -u meshcored")
        assert "not-found" in lab.run("systemctl show -P LoadState meshcored.service")
    finally:
        lab.run(
            "dpkg -P meshcored 2>/dev/null; userdel packager 2>/dev/null; tar -C /lab/root -c . | "
            "tar -x -C / --no-same-owner --keep-directory-symlink; systemd-sysusers; systemctl daemon-reload; "
            "busctl --quiet call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ReloadConfig",
            check=False,
        )
