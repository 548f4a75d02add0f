//! What waits on the server for the next page of one person: a form that was refused without a script, a secret that is shown
//! once.
//!
//! **Invariant:** what lies here is given to who put it there, for the page it was put there for; the oldest goes when there
//! is much, so it never fills the memory. Losing it loses no fact of the product.

use domain::UserId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Most that lies here, of everybody together; each is at most as large as a request.
const KEPT: usize = 64;

struct Kept {
    number: u64,
    user: UserId,
    page: String,
    what: String,
}

struct Shelf {
    last: u64,
    kept: VecDeque<Kept>,
}

static SHELF: Mutex<Shelf> = Mutex::new(Shelf {
    last: 0,
    kept: VecDeque::new(),
});

/// Puts something there for a page; its number.
pub fn put(user: UserId, page: &str, what: &impl Serialize) -> u64 {
    let mut shelf = SHELF.lock().unwrap_or_else(PoisonError::into_inner);
    shelf.last += 1;
    let number = shelf.last;
    shelf.kept.push_back(Kept {
        number,
        user,
        page: page.to_owned(),
        what: serde_json::to_string(what).unwrap_or_default(),
    });
    while shelf.kept.len() > KEPT {
        shelf.kept.pop_front();
    }
    number
}

/// What has this number, if this user put it there for this page; it stays, so that the page can be loaded again.
pub fn look<T: DeserializeOwned>(user: UserId, page: &str, number: u64) -> Option<T> {
    let shelf = SHELF.lock().unwrap_or_else(PoisonError::into_inner);
    let found = shelf
        .kept
        .iter()
        .find(|k| k.number == number && k.user == user && k.page == page)?;
    serde_json::from_str(&found.what).ok()
}

/// The same, and it is gone then.
pub fn take<T: DeserializeOwned>(user: UserId, page: &str, number: u64) -> Option<T> {
    let found = look(user, page, number);
    let mut shelf = SHELF.lock().unwrap_or_else(PoisonError::into_inner);
    shelf
        .kept
        .retain(|k| k.number != number || k.user != user || k.page != page);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_there_comes_back_to_its_owner_alone_and_old_things_go() {
        let (ana, ben) = (UserId(1), UserId(2));
        let first = put(ana, "/a", &"mine");
        assert_eq!(look::<String>(ana, "/a", first).as_deref(), Some("mine"));
        assert_eq!(look::<String>(ben, "/a", first), None);
        assert_eq!(look::<String>(ana, "/b", first), None);
        assert_eq!(take::<String>(ana, "/a", first).as_deref(), Some("mine"));
        assert_eq!(take::<String>(ana, "/a", first), None);
        let second = put(ana, "/a", &"mine");
        for _ in 0..KEPT {
            put(ben, "/a", &"more");
        }
        assert_eq!(look::<String>(ana, "/a", second), None);
    }
}
