//! The second module of the browser, which pages with an editor load: what is heavy (time zones, regular expressions) and
//! judges what is being typed. Each kind of question has its file; plans will have theirs.
//!
//! **Invariant:** nothing is judged here that `domain` does not judge for the server too, by the same function; questions
//! and answers are JSON of the same types. It makes no request and knows no clock.

mod answer;
mod cron;
mod rules;
