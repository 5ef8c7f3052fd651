//! xUnit.net's XML: an `assembly` of classes (v1), and `assemblies` of collections (v2 and v3).

mod read;
mod test;

pub(in crate::reports::parse) use read::read;
