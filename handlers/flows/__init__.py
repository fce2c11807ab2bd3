"""The tasks of the flows that come with Vigil (`config/flows/vigil.yml`), for operators' own flows as well."""
