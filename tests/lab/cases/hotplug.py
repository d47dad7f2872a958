# SPDX-License-Identifier: GPL-3.0-or-later
"""Radios on USB: plugged in, pulled, and plugged in elsewhere."""

READY_LIMIT = 3.0  # design, section 7
BY_ID = "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_MESHHUT-if00-port0"


def case_path(lab):
    """A port that the configuration names: ready soon after plugging, waiting at once after pulling, the
    same object on another socket."""
    lab.make_radio("hut")
    lab.configure({"hut": f"serial:{BY_ID}"})
    lab.start_daemon()
    lab.wait_state("hut", "waiting", "not-plugged")

    with lab.expect("hut", "ready") as ready:
        lab.plug_in("hut", port=1)
    lab.note(f"plug to ready: {ready.seconds:.2f} s")
    assert ready.seconds <= READY_LIMIT, ready.seconds
    key = lab.get("/org/meshcored1/radio/hut", "Radio", "PublicKey")

    with lab.expect("hut", "waiting", "not-plugged") as pulled:
        lab.pull("hut")
    lab.note(f"pull to waiting: {pulled.seconds:.2f} s")
    assert pulled.seconds <= 1.0, pulled.seconds

    with lab.expect("hut", "ready") as again:
        lab.plug_in("hut", port=3)
    lab.note(f"replug on another port to ready: {again.seconds:.2f} s")
    assert again.seconds <= READY_LIMIT, again.seconds
    assert lab.get("/org/meshcored1/radio/hut", "Radio", "PublicKey") == key
