use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use super::*;

/// Answers one request with these bytes.
fn server(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = [0_u8; 4_096];
        let _ = stream.read(&mut request);
        let _ = stream.write_all(answer.as_bytes());
    });
    address
}

fn target(address: SocketAddr, expect: Option<u16>) -> ProbeTarget {
    ProbeTarget { url: format!("http://{address}/up"), expect, timeout: Duration::from_secs(20) }
}

async fn failure(target: &ProbeTarget) -> String {
    match Prober::new().sample(target).await {
        Sample::Fail { why } => why,
        Sample::Pass => panic!("passed"),
    }
}

#[tokio::test]
async fn a_status_passes_or_is_told() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let sick = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n";
    let prober = Prober::new();
    assert_eq!(prober.sample(&target(server(ok), None)).await, Sample::Pass);
    assert_eq!(prober.sample(&target(server(sick), Some(503))).await, Sample::Pass);
    assert_eq!(failure(&target(server(sick), None)).await, "answered 503, not 2xx");
    assert_eq!(failure(&target(server(ok), Some(204))).await, "answered 200, not 204");
}

#[tokio::test]
async fn a_redirect_is_an_answer_of_its_own() {
    let moved = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(failure(&target(server(moved), None)).await, "answered 302, not 2xx");
}

#[tokio::test]
async fn nobody_garbage_and_silence_fail_in_one_line() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port");
    let gone = nobody.local_addr().expect("bound");
    drop(nobody);
    let refused = failure(&target(gone, None)).await;
    assert!(refused.to_lowercase().contains("refused"), "{refused}");
    let garbage = failure(&target(server("\x1b[2J what?\r\n\r\n"), None)).await;
    assert!(!garbage.contains('\n') && !garbage.contains('\x1b'), "{garbage:?}");
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut quiet = target(silent.local_addr().expect("bound"), None);
    quiet.timeout = Duration::from_millis(200);
    assert_eq!(failure(&quiet).await, "no answer in 200 ms");
}
