"""Publishes with the library that the services of Fedora use.

Usage: publish.py PORT ENVIRONMENT. It prints "bound" when its socket is bound. Each line of its input is a JSON object with
modname, topic and msg; it prints "published" after each. It ends at the end of its input.
"""

import json
import sys
import tempfile

import fedmsg
import fedmsg.config

CONFIG = """config = dict(
    endpoints={{"tidings.publisher": ["tcp://127.0.0.1:{port}"]}},
    name="tidings.publisher",
    topic_prefix="org.fedoraproject",
    environment={environment!r},
    sign_messages=False,
    validate_signatures=False,
    active=False,
    zmq_enabled=True,
    zmq_linger=1000,
)
"""


def main(port, environment):
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(CONFIG.format(port=int(port), environment=environment))
        file.flush()
        config = fedmsg.config.load_config([], None, filenames=[file.name], invalidate_cache=True)
    fedmsg.init(**config)
    print("bound", flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        fedmsg.publish(modname=message["modname"], topic=message["topic"], msg=message["msg"])
        print("published", flush=True)


main(*sys.argv[1:])
