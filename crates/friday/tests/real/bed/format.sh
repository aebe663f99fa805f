# Fills a host's new disk. $1 disk, $2 MiB, $3 name, $4 host key, $5 the operator's public key,
# $6 `plain` or `systemd`.
set -e
umask 022
mkdir -p "$1"
mount -t tmpfs -o "size=$2m,mode=0755" disk "$1"
cd "$1"
mkdir -p etc/ssh home/deploy/.ssh root srv opt var/log var/tmp var/spool/cron/crontabs var/lib
ln -s /run var/run
ln -s /run/lock var/lock
chmod 1777 var/tmp
chmod 0700 root home/deploy/.ssh

# The machine's own accounts, so that programs' groups mean the same; nobody has a password.
cp /etc/passwd /etc/group etc/
sed 's/^\([^:]*\):.*/\1:*:19000:0:99999:7:::/' /etc/passwd >etc/shadow
echo 'deploy:x:2001:2001::/home/deploy:/bin/bash' >>etc/passwd
echo 'deploy:x:2001:' >>etc/group
echo 'deploy:*:19000:0:99999:7:::' >>etc/shadow
chmod 0640 etc/shadow
chgrp crontab var/spool/cron/crontabs 2>/dev/null && chmod 1730 var/spool/cron/crontabs
for name in ld.so.cache ld.so.conf ld.so.conf.d nsswitch.conf alternatives localtime profile \
    login.defs services protocols; do
    [ ! -e "/etc/$name" ] || cp -a "/etc/$name" etc/
done
: >etc/environment
: >etc/crontab
# Without logins and audit of its own, cron must not ask for them.
mkdir etc/pam.d etc/cron.d
for kind in auth account session; do echo "$kind required pam_permit.so"; done >etc/pam.d/cron
echo "$3" >etc/hostname
echo "127.0.0.1 localhost $3" >etc/hosts

cp "$4" etc/ssh/host_key
chmod 0600 etc/ssh/host_key
cat >etc/ssh/sshd_config <<EOF
HostKey /etc/ssh/host_key
UsePAM $([ "$6" = systemd ] && echo yes || echo no)
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile .ssh/authorized_keys
PidFile none
UseDNS no
MaxStartups 100
Subsystem sftp internal-sftp
EOF
if [ "$6" = systemd ]; then
    # Persons' sessions and user managers come from PAM; the accounts are as above.
    rm -r etc/pam.d
    cp -a /etc/pam.d etc/
    for name in security dbus-1 polkit-1; do [ ! -e "/etc/$name" ] || cp -a "/etc/$name" etc/; done
    mkdir -p etc/systemd/system/multi-user.target.wants etc/systemd/journald.conf.d var/log/journal
    head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n' >etc/machine-id
    printf '[Journal]\nSystemMaxUse=16M\n' >etc/systemd/journald.conf.d/bed.conf
    ln -s /lib/systemd/system/multi-user.target etc/systemd/system/default.target
    # What a machine of namespaces has no use for, or what would reach out of it.
    for unit in systemd-udevd systemd-udev-trigger systemd-networkd systemd-resolved \
        systemd-timesyncd systemd-modules-load systemd-sysctl systemd-firstboot getty-static \
        console-getty systemd-remount-fs systemd-binfmt systemd-update-utmp ssh sshd networking \
        systemd-pcrphase systemd-pcrphase-sysinit e2scrub_reap; do
        ln -s /dev/null "etc/systemd/system/$unit.service"
    done
    for unit in sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
        sys-fs-fuse-connections.mount dev-hugepages.mount dev-mqueue.mount getty.target ssh.socket \
        systemd-ask-password-console.path systemd-ask-password-wall.path \
        proc-sys-fs-binfmt_misc.automount; do
        ln -s /dev/null "etc/systemd/system/$unit"
    done
    cat >etc/systemd/system/bed-sshd.service <<EOF
[Service]
RuntimeDirectory=sshd
ExecStart=/usr/sbin/sshd -D
KillMode=process
EOF
    ln -s ../bed-sshd.service etc/systemd/system/multi-user.target.wants/
fi
echo "$5" >home/deploy/.ssh/authorized_keys
chown -R 2001:2001 home/deploy srv
