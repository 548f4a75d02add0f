//! Parts that pages are built from; each owns its classes, so that pages do not copy them.
//!
//! **Invariant:** props are typed by `domain`; the same props render the same tree on both sides.

mod button;
mod choice;
mod copy;
mod disclosure;
mod elapsed;
mod empty;
mod error_view;
mod favicon;
mod field;
mod form;
mod icon;
mod loaded;
mod logo;
mod meter;
mod note;
mod page;
mod pager;
mod reason;
mod rows;
mod run_bars;
mod status;
mod task_cells;
mod time;

pub use button::{ButtonKind, LinkButton, SubmitButton};
pub use choice::Choice;
pub use copy::CopyLine;
pub use disclosure::{Confirm, Menu};
pub use elapsed::{Ago, Clock, Elapsed, Took, Until, UsualBar, provide_clock};
pub use empty::Blank;
pub use error_view::{ErrorNote, ErrorView, FormError, NotFound};
pub use favicon::{Favicon, Sign};
pub use field::Field;
pub use form::ActionForm;
pub use icon::{Icon, IconSize};
pub use loaded::Loaded;
pub use logo::{Ears, Logo};
pub use meter::{Meter, SlotMarks};
pub use note::Note;
pub use page::{Crumb, Page};
pub use pager::Pager;
pub use reason::Reason;
pub use rows::Rows;
pub use run_bars::RunBars;
pub use status::{Look, Status, StatusChip, StatusIcon};
pub use task_cells::{CauseLine, TaskName, cause_icon, cause_words};
pub use time::Time;
