import os

from pyinfra.operations import server

app, release = os.environ["APP"], os.environ["ID"]
server.shell(
    name="switch, restart, check",
    commands=[
        f"cd {app} && ln -sfn releases/{release} next && mv -T next current && "
        f"sh -c 'echo ok > current/.restarted' && test \"$(cat current/VERSION)\" = {release}"
    ],
)
