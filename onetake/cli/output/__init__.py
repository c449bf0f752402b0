"""What commands print: reports, failures, written files, and the outcomes of clones."""
