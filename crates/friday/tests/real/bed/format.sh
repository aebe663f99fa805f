# Fills a host's new disk. $1 disk, $2 MiB, $3 name, $4 host key, $5 the operator's public key.
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
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile .ssh/authorized_keys
PidFile none
UseDNS no
MaxStartups 100
EOF
echo "$5" >home/deploy/.ssh/authorized_keys
chown -R 2001:2001 home/deploy srv
