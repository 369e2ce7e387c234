//! What the fuzz targets share: a table on the heap, and conversations made of
//! bytes.

pub mod heap;
pub mod script;
