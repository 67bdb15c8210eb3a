#!/usr/bin/python3 -I
"""A stand-in for sudo-rs, which Debian 12 does not have.

It says and asks what the source of sudo-rs 0.2.14 does (src/sudo/pipeline.rs, src/sudo/pam.rs,
src/pam/converse.rs, src/common/error.rs): the order of its checks, its prompt, its messages. It
changes the user with the real sudo, which must allow that without a password.
"""

import os
import pwd
import sys

RULES = {"free": "correct horse battery staple", "boss": None}
"""Login name -> the password that is asked for. All others are in no rule."""
TRIES = 3


def fail(message):
    print(f"sudo: {message}", file=sys.stderr)
    sys.exit(1)


def line():
    """Read one line, and not a byte more: the rest is for the command."""
    found = b""
    while not found.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            break
        found += byte
    return found.rstrip(b"\n").decode()


def authenticate(password, prompt):
    for number in range(TRIES):
        sys.stderr.write(f"[sudo: {prompt}] Password: " if prompt else "")
        sys.stderr.flush()
        given = line()
        sys.stderr.write("\n")
        if not given:
            fail("Authentication required but not attempted")
        if given == password:
            return
        if number < TRIES - 1:
            print("sudo: Authentication failed, try again.", file=sys.stderr)
    fail(f"maximum {TRIES} incorrect authentication attempts")


def main(words):
    user, prompt, may_ask = "root", "authenticate", True
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word == "--":
            break
        if word == "-u":
            user = words.pop(0)
        elif word == "-p":
            prompt = words.pop(0)
        elif word == "-n":
            may_ask = False
        elif word == "-E":
            print(f"sudo: preserving the entire environment is not supported, '{word}' is ignored")
        elif word not in ("-H", "-S", "-k", "-i", "-s"):
            print("invalid option provided\nusage: sudo -h | -K | -k | -V", file=sys.stderr)
            sys.exit(1)
    try:
        pwd.getpwnam(user)
    except KeyError:
        fail(f"user '{user}' not found")
    login = pwd.getpwuid(os.getuid()).pw_name
    if login not in RULES:
        fail(f"I'm sorry {login}. I'm afraid I can't do that")
    if RULES[login] is not None:
        if not may_ask:
            fail("interactive authentication is required")
        authenticate(RULES[login], prompt)
    os.execv("/usr/bin/sudo", ["sudo", "-n", "-H", "-u", user, "--", *words])


main(sys.argv[1:])
