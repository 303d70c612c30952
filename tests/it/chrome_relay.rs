//! A relay before a real browser: it takes a websocket, passes every message on, and refuses the calls that it is told to.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

/// What it does with the calls of one method.
#[derive(Default)]
struct Script {
    method: String,
    /// Answers in words of the browser, one for each call; then calls pass.
    refusals: Vec<String>,
    seen: usize,
}

/// The relay, which ends with its runtime.
pub(crate) struct Relay {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

impl Relay {
    /// Before the browser whose websocket is `to`.
    pub(crate) async fn start(to: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, script) = (listener.local_addr().unwrap(), Arc::<Mutex<Script>>::default());
        let (to, played) = (to.to_owned(), script.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, to.clone(), played.clone()));
            }
        });
        Relay { address, script }
    }

    pub(crate) fn websocket(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// Refuses the next calls of `method`, in these words.
    pub(crate) fn refuse(&self, method: &str, with: &[&str]) {
        let refusals = with.iter().map(|words| (*words).to_owned()).collect();
        *self.script.lock().unwrap() = Script { method: method.to_owned(), refusals, seen: 0 };
    }

    /// Calls of that method since.
    pub(crate) fn seen(&self) -> usize {
        self.script.lock().unwrap().seen
    }
}

async fn pass(near: TcpStream, to: String, script: Arc<Mutex<Script>>) {
    let Ok(near) = tokio_tungstenite::accept_async(near).await else { return };
    let address = to.trim_start_matches("ws://").split('/').next().unwrap().to_owned();
    let far = TcpStream::connect(address).await.unwrap();
    let (far, _) = tokio_tungstenite::client_async(to, far).await.unwrap();
    let (mut to_near, mut from_near) = near.split();
    let (mut to_far, mut from_far) = far.split();
    loop {
        tokio::select! {
            message = from_near.next() => {
                let Some(Ok(Message::Text(text))) = message else { return };
                let call: Value = serde_json::from_str(&text).unwrap();
                let sent = match refusal(&script, &call) {
                    Some(answer) => to_near.send(Message::text(answer.to_string())).await,
                    None => to_far.send(Message::Text(text)).await,
                };
                if sent.is_err() {
                    return;
                }
            }
            message = from_far.next() => {
                let Some(Ok(message)) = message else { return };
                if to_near.send(message).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn refusal(script: &Mutex<Script>, call: &Value) -> Option<Value> {
    let mut script = script.lock().unwrap();
    if call["method"] != script.method.as_str() {
        return None;
    }
    script.seen += 1;
    if script.refusals.is_empty() {
        return None;
    }
    let error = json!({ "code": -32000, "message": script.refusals.remove(0) });
    Some(json!({ "id": call["id"], "sessionId": call["sessionId"], "error": error }))
}
