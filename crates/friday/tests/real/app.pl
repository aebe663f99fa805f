# The application of the tests: answers /healthz and /, and behaves as `quality` says.
use strict;
use warnings;
use IO::Socket::INET;
use IO::Socket::UNIX;

sub slurp { open my $file, '<', $_[0] or die "$_[0]: $!"; local $/; return scalar <$file> }
my ($label, $quality) = (slurp('label'), slurp('quality'));
my $began = time;
my $listener = IO::Socket::INET->new(
    LocalAddr => '0.0.0.0', LocalPort => $ENV{PORT}, Listen => 64, ReuseAddr => 1)
    or die "port $ENV{PORT}: $!";
$SIG{ALRM} = sub { };
print STDERR "hello from $label\n";
if ($quality eq 'ready') {
    my $systemd = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => $ENV{NOTIFY_SOCKET})
        or die "notify: $!";
    print $systemd "STATUS=serves\nREADY=1\n";
    close $systemd;
}
while (1) {
    my $guest = $listener->accept or next;
    alarm 2;
    my $request = <$guest> // '';
    while (defined(my $line = <$guest>)) { last if $line =~ /^\r?$/ }
    alarm 0;
    my $age = time - $began;
    my $bad = $quality eq 'bad-outside' && $age >= 3 || $quality eq 'slow-outside' && $age < 60;
    my $status = $bad && $request !~ m{/healthz} ? '500 Bad' : '200 OK';
    print $guest "HTTP/1.1 $status\r\nContent-Length: ", length $label,
        "\r\nConnection: close\r\n\r\n$label";
    close $guest;
}
