"""From files to documents to chunks, and the file formats that labelled questions come and go in."""
