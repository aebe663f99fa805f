import os

from pyinfra.operations import files, server

app, release, before = (os.environ[name] for name in ("APP", "ID", "PREV"))
link = [f"--link-dest={app}/releases/{before}"] if before else []
server.shell(name="a place for releases", commands=[f"mkdir -p {app}/releases"])
files.rsync(
    name="bring the release",
    src=os.environ["SRC"] + "/",
    dest=f"{app}/releases/{release}/",
    flags=["-a", *link],
)
server.shell(
    name="switch, restart, check",
    commands=[
        f"cd {app} && ln -sfn releases/{release} next && mv -T next current && "
        f"sh -c 'echo ok > current/.restarted' && test \"$(cat current/VERSION)\" = {release}"
    ],
)
