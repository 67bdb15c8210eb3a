"""A stub of the agent: it does what the request says, right or wrong."""

import json
import os
import pwd
import sys
import time


def main(zulip_user):
    for line in sys.stdin.buffer:
        request = json.loads(line)
        answer(request, zulip_user)
    return 0


def answer(request, zulip_user):
    do = request["do"]
    if do == "raw":
        send(request["text"].encode())
    elif do == "fill":
        while True:
            send(b"x" * 65536)
    elif do == "complain":
        sys.stderr.write("y" * 3000000)
        final()
    elif do == "exit":
        sys.stderr.write(request.get("stderr", ""))
        sys.stderr.flush()
        os._exit(3)
    elif do == "drip":
        while True:
            send(b" ")
            time.sleep(0.02)
    elif do == "hang":
        sys.stdin.buffer.read()
    elif do == "steps":
        for number in range(3):
            send(json.dumps({"step": str(number), "doing": True}).encode() + b"\n")
        final()
    elif do == "mark":
        # A transaction continues after the connection is closed.
        send(json.dumps({"step": "begun"}).encode() + b"\n")
        sys.stdin.buffer.read()
        with open(request["file"], "w") as stream:
            stream.write("finished")
    else:
        final(
            user=pwd.getpwuid(os.getuid()).pw_name,
            argument=zulip_user,
            echo=request,
            python=sys.executable,
            environment=dict(os.environ),
        )


def final(**facts):
    send(json.dumps(dict(facts, final=True)).encode() + b"\n")


def send(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
