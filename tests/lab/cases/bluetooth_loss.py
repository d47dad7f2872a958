# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is lost and nothing is told twice over Bluetooth: links that drop, a daemon and a bluetoothd that are killed.
In full size: MESHCORED_LOSS_MESSAGES=1000 tests/lab/run ... bluetooth_loss"""

import os
import shutil

from air import CREDENTIAL, PIN, Air

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = ("storm.py", "fixture.py", "programs.py", "companion.py", "mesh.scenario")


def lose_nothing(lab, family):
    messages = int(os.environ.get("MESHCORED_LOSS_MESSAGES", "60"))
    faults = max(10, messages // 12)
    air = Air(lab, family, sims=False)
    air.set_pin(PIN)
    os.makedirs(os.path.join(lab.share, "integration"), exist_ok=True)
    for name in FILES:
        shutil.copy(os.path.join(HERE, "..", "..", "integration", name), os.path.join(lab.share, "integration"))
    # systemd would not start it more than five times in ten seconds
    lab.write("/run/systemd/system/bluetooth.service.d/lab.conf", "[Unit]\nStartLimitIntervalSec=0\n")
    lab.at_end("rm -rf /run/systemd/system/bluetooth.service.d; systemctl daemon-reload")
    seed = os.environ.get("MESHCORED_SEED")
    output = lab.run(
        f"systemctl daemon-reload; CREDENTIALS_DIRECTORY={os.path.dirname(CREDENTIAL)} PYTHONDONTWRITEBYTECODE=1 "
        f"MESHCORED_TEST_TIMEOUT=120 /lab/tools/ble-storm --messages {messages} --faults {faults} "
        + (f"--seed {seed} " if seed else "") + f"{air.socket} {family} {air.address()} 2>&1",
        timeout=120 + messages * 10, check=False,
    )  # fmt: skip
    for line in output.splitlines():
        if line.startswith(("seed", "ble:")):
            lab.note(f"{family}: {line}")
    assert output.rstrip().endswith("OK"), output[-6000:]


def case_nrf52(lab):
    lose_nothing(lab, "nrf52")


def case_esp32(lab):
    lose_nothing(lab, "esp32")
