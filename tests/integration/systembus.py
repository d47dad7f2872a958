# SPDX-License-Identifier: GPL-3.0-or-later
"""A system bus of our own, with the policy that we install, and a played polkit."""

import contextlib
import os
import sys

from programs import Bus, Program

HERE = os.path.dirname(os.path.abspath(__file__))
POLICY = os.path.join(HERE, "..", "..", "data", "org.meshcored1.conf")

# as /usr/share/dbus-1/system.conf, but for the socket and for polkit's own policy
SYSTEM_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.PolicyKit1"/>
  </policy>
  <policy user="root">
    <allow own="org.freedesktop.PolicyKit1"/>
    <allow own="org.freedesktop.login1"/>
    <allow send_destination="org.freedesktop.login1"/>
  </policy>
  <include>{policy}</include>
</busconfig>
"""


class PolicyBus(Bus):
    """A system bus with our policy. group stands for "meshcore", which this machine need not have."""

    def __init__(self, directory, group=None):  # pylint: disable=super-init-not-called
        os.chmod(directory, 0o755)
        policy = os.path.join(directory, "policy.conf")
        with open(POLICY, encoding="utf-8") as file:
            text = file.read()
        with open(policy, "w", encoding="utf-8") as file:
            file.write(text.replace('group="meshcore"', f'group="{group}"') if group else text)
        config = os.path.join(directory, "system-bus.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(SYSTEM_BUS.format(socket=os.path.join(directory, "bus"), policy=policy))
        Program.__init__(
            self, "dbus-daemon",
            ["dbus-daemon", "--nofork", "--nopidfile", f"--config-file={config}", "--print-address=1"], directory,
        )  # fmt: skip
        self.address = self.read_line().split(",guid=")[0]


class Polkit(Program):
    """polkit.py on that bus."""

    def __init__(self, bus, directory):
        super().__init__("polkit", [sys.executable, os.path.join(HERE, "polkit.py"), bus.address], directory)
        self.read_line()


@contextlib.contextmanager
def user(uid, gid):
    """What connects meanwhile is somebody else for the bus."""
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
