/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* MESSAGE_ID= of the events that an administrator may wait for; data/meshcored.catalog explains each. Never
 * give one another meaning. */

#define EVENT_RADIO_READY      "9e2ce5c985314b0cac626d927b0a513b"
#define EVENT_RADIO_LOST       "41e1bdaed1644e11bc1c3769e2844eac"
#define EVENT_WRONG_RADIO      "9bd35ab1e6824e0ca47fbdf82f9871cc"
#define EVENT_TAKEN_OVER       "aef0a737072941e7a6168375f4869099"
#define EVENT_STORAGE_FULL     "ac8a607ca8a84de58dde3b7717091559"
#define EVENT_CLOCK_AHEAD      "c0fda10bfb014702a4137a37e2e9bc63"
#define EVENT_IDENTITY_CHANGED "a97d2cb07a1442aa8326c72389fbd575"
#define EVENT_STORE_DAMAGED    "3d4e5c0dd1b94a5b9a63f2a1f9b0c7e4"
#define EVENT_INHIBITED        "181e5a50a53b4ed7a4b7624cf482f9c3"
#define EVENT_PRUNED           "d375d22422bc4dcaa697b8822fa40dd4"
#define EVENT_NEEDS_PIN        "97e6c8ba9e4d4ab2a140e87d0780b1c6"
#define EVENT_DUPLICATE        "34fefa5f87da4acc89c4db438dc40a6c"
#define EVENT_BOND_REPLACED    "699c030c21ee4b72910397f0d9e616b5"
#define EVENT_NO_NAME          "b72e25c1a70c488893e0b02251ba3ec5"
#define EVENT_STUCK            "78564fce895048ddbac45963df08e7d4"
#define EVENT_CONFIGURATION    "c82102807dec4e13aa27450574d82be8"
#define EVENT_STORE_NEWER      "3fc50ea4d19e4075a672756bc1ce74f0"
#define EVENT_MESSAGE_LOST     "de71630ef1d54bd1b48d7758b5587c9a"
#define EVENT_KEY_EXPORTED     "3cfa2f7487cf4b54839ee88b2d4dbb98"
#define EVENT_KEY_IMPORTED     "538a9d203a5a49528e8793c7a6ac3ff5"
#define EVENT_ERASED           "653055dbe91d4acc93a22fae4642960d"
