import Holdfast

// Something of Holdfast's own, with an answer known beforehand: the SHA-256 of "abc" (FIPS 180-2, appendix B.1).
let hash = ContentHash.of("abc")
print(hash)
precondition(hash == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
